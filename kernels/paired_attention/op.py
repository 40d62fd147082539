"""The public `paired_attention`.

Shapes as in reference.py: B batch, H heads, N queries, M keys of the first set, K of the second, D head width, E value width.
"""

from torch import Tensor

from kernels.checks import check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation
from kernels.paired_attention import reference, torch_form, triton_form

__all__ = ["paired_attention"]


def check(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> None:
    for i, (k, v, mask) in enumerate(((k1_BHMD, v1_BHME, mask1), (k2_BHKD, v2_BHKE, mask2)), start=1):
        check_queries_and_keys("paired_attention", q_BHND, k)
        if v.ndim != 4 or v.shape[:3] != k.shape[:3] or v.shape[3] != v1_BHME.shape[3]:
            raise ValueError(
                f"paired_attention: shapes do not fit: k{i} {tuple(k.shape)}, v{i} {tuple(v.shape)}, v1 {tuple(v1_BHME.shape)}"
            )
        check_mask("paired_attention", mask, q_BHND, k, f"mask{i}")


paired_attention = Operation(
    reference.paired_attention,
    check,
    torch=Form(torch_form.paired_attention, torch_form.declines),
    triton=Form(triton_form.paired_attention, triton_form.declines, triton_form.pays),
)
