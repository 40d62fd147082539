"""The public `head_mean_map`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D width.
"""

from torch import Tensor

from kernels.checks import check_lse, check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation
from kernels.head_mean_map import reference, torch_form, triton_form

__all__ = ["head_mean_map"]


def check(q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None) -> None:
    check_queries_and_keys("head_mean_map", q_BHND, k_BHMD)
    check_lse("head_mean_map", lse, q_BHND)
    check_mask("head_mean_map", mask, q_BHND, k_BHMD)


head_mean_map = Operation(
    reference.head_mean_map,
    check,
    torch=Form(torch_form.head_mean_map, torch_form.declines),
    triton=Form(triton_form.head_mean_map, triton_form.declines, triton_form.pays),
)
