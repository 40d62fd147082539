"""The public `apply_transposed`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D width.
"""

from torch import Tensor

from kernels.apply_transposed import reference, torch_form, triton_form
from kernels.checks import check_lse, check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation

__all__ = ["apply_transposed"]


def check(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> None:
    check_queries_and_keys("apply_transposed", q_BHND, k_BHMD)
    b, h, n = q_BHND.shape[:3]
    if r.shape not in ((b, h, n), (b, n)):
        raise ValueError(f"apply_transposed: r is (B, H, N) = {(b, h, n)} or (B, N) = {(b, n)}, not {tuple(r.shape)}")
    check_lse("apply_transposed", lse, q_BHND)
    check_mask("apply_transposed", mask, q_BHND, k_BHMD)


apply_transposed = Operation(
    reference.apply_transposed,
    check,
    torch=Form(torch_form.apply_transposed, torch_form.declines),
    triton=Form(triton_form.apply_transposed, triton_form.declines, triton_form.pays),
)
