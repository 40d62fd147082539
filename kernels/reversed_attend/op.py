"""The public `reversed_attend`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.checks import check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation
from kernels.reversed_attend import reference, torch_form, triton_form

__all__ = ["reversed_attend"]


def check(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> None:
    check_queries_and_keys("reversed_attend", q_BHND, k_BHMD)
    if v_BHNE.ndim != 4 or v_BHNE.shape[:3] != q_BHND.shape[:3]:
        raise ValueError(f"reversed_attend: a value for each query {tuple(q_BHND.shape[:3])}, not {tuple(v_BHNE.shape)}")
    check_mask("reversed_attend", mask, q_BHND, k_BHMD)


reversed_attend = Operation(
    reference.reversed_attend,
    check,
    torch=Form(torch_form.reversed_attend, torch_form.declines),
    triton=Form(triton_form.reversed_attend, triton_form.declines, triton_form.pays),
)
