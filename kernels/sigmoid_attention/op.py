"""The public `sigmoid_attention`.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.checks import check_mask, check_queries_and_keys
from kernels.dispatch import Form, Operation
from kernels.sigmoid_attention import reference, torch_form, triton_form

__all__ = ["sigmoid_attention"]


def check(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> None:
    check_queries_and_keys("sigmoid_attention", q_BHND, k_BHMD)
    if v_BHME.ndim != 4 or v_BHME.shape[:3] != k_BHMD.shape[:3]:
        raise ValueError(f"sigmoid_attention: shapes do not fit: k {tuple(k_BHMD.shape)}, v {tuple(v_BHME.shape)}")
    b, h, n = q_BHND.shape[:3]
    if causal and n != k_BHMD.shape[2]:
        raise ValueError(f"sigmoid_attention: causal needs as many queries as keys, not {n} and {k_BHMD.shape[2]}")
    if isinstance(bias, Tensor) and bias.shape not in ((), (h,), *((i, j, n, 1) for i in (1, b) for j in (1, h))):
        raise ValueError(f"sigmoid_attention: bias is (), (H,) or (B, 1|H, N, 1) with B, H, N = {b}, {h}, {n}, not {tuple(bias.shape)}")
    check_mask("sigmoid_attention", mask, q_BHND, k_BHMD)


sigmoid_attention = Operation(
    reference.sigmoid_attention,
    check,
    torch=Form(torch_form.sigmoid_attention, torch_form.declines),
    triton=Form(triton_form.sigmoid_attention, triton_form.declines, triton_form.pays),
)
