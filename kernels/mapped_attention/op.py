"""The public `mapped_attention`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.checks import check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation
from kernels.mapped_attention import reference, torch_form

__all__ = ["mapped_attention"]


def check(q_BHND: Tensor, k_BHMD: Tensor, v_BHME: Tensor, mask: Tensor | None = None, scale: float | None = None) -> None:
    check_queries_and_keys("mapped_attention", q_BHND, k_BHMD)
    if v_BHME.ndim != 4 or v_BHME.shape[:3] != k_BHMD.shape[:3]:
        raise ValueError(f"mapped_attention: shapes do not fit: k {tuple(k_BHMD.shape)}, v {tuple(v_BHME.shape)}")
    check_mask("mapped_attention", mask, q_BHND, k_BHMD)


mapped_attention = Operation(reference.mapped_attention, check, torch=Form(torch_form.mapped_attention, torch_form.declines))
