"""Softmax attention and its head-mean map out of one map, in plain aten.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from torch import Tensor

from kernels.attend.reference import attention_map
from kernels.dispatch import autocast_off

__all__ = ["mapped_attention"]


def mapped_attention(
    q_BHND: Tensor, k_BHMD: Tensor, v_BHME: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """Return (output (B,H,N,E), mean of the heads' maps (B,N,M) in at least float32).

    mask, scale: as of `attend`. A query that may attend to nothing gets zeros in both.
    The map is to be looked at: no gradient flows through it.
    """
    p_BHNM = attention_map(q_BHND, k_BHMD, mask, False, scale)
    with autocast_off(q_BHND):
        o_BHNE = p_BHNM @ v_BHME.to(p_BHNM.dtype)
    return o_BHNE.to(v_BHME.dtype), p_BHNM.detach().mean(1)
