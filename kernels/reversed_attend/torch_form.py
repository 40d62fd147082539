"""The same in pieces of a few queries, without the map.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width, R queries of one piece.
"""

from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.query_chunks import chunks, exponentials, loop_declines

__all__ = ["declines", "reversed_attend"]


def reversed_attend(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    def step(q_BHRD: Tensor, k_BHMD: Tensor, v_BHRE: Tensor, mask: Tensor | None) -> Tensor:
        e_BHRM, sum_BHR = exponentials(q_BHRD, k_BHMD, None, mask, scale)
        share_BHRE = v_BHRE.to(e_BHRM.dtype) / sum_BHR.unsqueeze(-1)
        with autocast_off(q_BHRD):
            return e_BHRM.transpose(-2, -1) @ share_BHRE

    y_BHME: Tensor | None = None
    for part_BHME in chunks(step, q_BHND, k_BHMD, (v_BHNE, 2), (mask, -2)):
        y_BHME = part_BHME if y_BHME is None else y_BHME + part_BHME
    assert y_BHME is not None
    return y_BHME.to(v_BHNE.dtype)


def declines(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> str | None:
    return loop_declines(q_BHND)
