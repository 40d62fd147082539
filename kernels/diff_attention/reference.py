"""y = (P1 - lam P2) V in plain aten, P1 and P2 being softmax maps (arXiv 2410.05258, 2510.06949).

Shapes: B batch, H heads, K heads of the subtracted map (K divides H), G = H / K, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.attend.reference import weights as softmax_weights
from kernels.dispatch import autocast_off

__all__ = ["diff_attention", "weights"]


def diff_attention(
    q1_BHND: Tensor,
    k1_BHMD: Tensor,
    q2_BKND: Tensor,
    k2_BKMD: Tensor,
    v_BHME: Tensor,
    lam: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return (B,H,N,E). Head i subtracts lam times the map of q2's and k2's head i // G.

    lam: () or (H,). mask, causal, scale: as of `attend`, for both maps. A query that may attend to nothing gets zeros.
    """
    a_BHNM = weights(q1_BHND, k1_BHMD, q2_BKND, k2_BKMD, lam, mask, causal, scale)
    with autocast_off(q1_BHND):
        return (a_BHNM @ v_BHME.to(a_BHNM.dtype)).to(v_BHME.dtype)


def weights(
    q1_BHND: Tensor,
    k1_BHMD: Tensor,
    q2_BKND: Tensor,
    k2_BKMD: Tensor,
    lam: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """The signed map (B,H,N,M), in at least float32: rows sum to 1 - lam."""
    p1_BHNM, _ = softmax_weights(q1_BHND, k1_BHMD, mask, causal, scale)
    batch, heads, n, m = p1_BHNM.shape
    grouped = (batch, q2_BKND.shape[1], -1, n, m)  # (B,K,G,N,M)
    if mask is not None:  # each of the G heads may have a mask of its own, and then a subtracted map of its own
        mask = mask.expand(p1_BHNM.shape).reshape(grouped)
    p2_BKGNM, _ = softmax_weights(q2_BKND.unsqueeze(2), k2_BKMD.unsqueeze(2), mask, causal, scale)
    lam_KG11 = lam.to(p1_BHNM.dtype).expand(heads).reshape(q2_BKND.shape[1], -1, 1, 1)
    return (p1_BHNM.reshape(grouped) - lam_KG11 * p2_BKGNM).flatten(1, 2)
