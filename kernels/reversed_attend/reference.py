"""y_j = sum_i P_ij v_i in plain aten, P being the softmax map over keys.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.attend.reference import weights
from kernels.dispatch import autocast_off

__all__ = ["reversed_attend"]


def reversed_attend(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    """Return (B,H,M,E): query i sends v_i to the keys, in the shares of its softmax. There are as many values as queries.

    mask, scale: as of `attend`. A query that may attend to nothing sends nothing; a key that nobody sees gets zeros.
    """
    p_BHNM, _ = weights(q_BHND, k_BHMD, mask, False, scale)
    with autocast_off(q_BHND):
        y_BHME = p_BHNM.transpose(-2, -1) @ v_BHNE.to(p_BHNM.dtype)
    return y_BHME.to(v_BHNE.dtype)
