"""The public `diff_attention`.

Shapes as in reference.py: B batch, H heads, K heads of the subtracted map, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.checks import check_mask, check_queries_and_keys
from kernels.diff_attention import reference, torch_form, triton_form
from kernels.dispatch import Form, Operation

__all__ = ["diff_attention"]


def check(
    q1_BHND: Tensor,
    k1_BHMD: Tensor,
    q2_BKND: Tensor,
    k2_BKMD: Tensor,
    v_BHME: Tensor,
    lam: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> None:
    check_queries_and_keys("diff_attention", q1_BHND, k1_BHMD)
    check_queries_and_keys("diff_attention", q2_BKND, k2_BKMD)
    (b, h, n), m, kept = q1_BHND.shape[:3], k1_BHMD.shape[2], q2_BKND.shape[1]
    if q2_BKND.shape != (b, kept, n, q1_BHND.shape[3]) or k2_BKMD.shape[2] != m or h % kept:
        raise ValueError(
            f"diff_attention: q2 and k2 are as q1 and k1, with as many heads or a whole share of them, not {tuple(q2_BKND.shape)}, "
            f"{tuple(k2_BKMD.shape)} beside {tuple(q1_BHND.shape)}, {tuple(k1_BHMD.shape)}"
        )
    if v_BHME.ndim != 4 or v_BHME.shape[:3] != (b, h, m):
        raise ValueError(f"diff_attention: shapes do not fit: k1 {tuple(k1_BHMD.shape)}, v {tuple(v_BHME.shape)}")
    if lam.shape not in ((), (h,)):
        raise ValueError(f"diff_attention: lam is () or (H,) = {(h,)}, not {tuple(lam.shape)}")
    if causal and n != m:
        raise ValueError(f"diff_attention: causal needs as many queries as keys, not {n} and {m}")
    check_mask("diff_attention", mask, q1_BHND, k1_BHMD)


diff_attention = Operation(
    reference.diff_attention,
    check,
    torch=Form(torch_form.diff_attention, torch_form.declines),
    triton=Form(triton_form.diff_attention, triton_form.declines, triton_form.pays),
)
