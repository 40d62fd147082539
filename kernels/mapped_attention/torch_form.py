"""The same in pieces that stay in a processor's cache: the heads' maps never go through memory, only their mean does.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width, R queries, G heads and A samples of one piece.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.query_chunks import loop_declines

__all__ = ["declines", "mapped_attention"]

PIECE_BYTES = 768 * 2**10  # of one piece's map: with its exponentials it fits the 1 to 2 MiB next to a core
LEAST = 64  # queries: the products of thinner pieces are slow


def mapped_attention(
    q_BHND: Tensor, k_BHMD: Tensor, v_BHME: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    full = torch.promote_types(q_BHND.dtype, torch.float32)
    factor: float = q_BHND.shape[-1] ** -0.5 if scale is None else scale
    batch, heads, n, _ = q_BHND.shape
    r, g, a = piece(batch, heads, n, k_BHMD.shape[2] * full.itemsize)
    # heads lie side by side: that is how the next projection wants them
    o_BHNE = v_BHME.new_empty((batch, n, heads, v_BHME.shape[3])).transpose(1, 2)
    mean_BNM = q_BHND.new_empty((batch, n, k_BHMD.shape[2]), dtype=full)
    with autocast_off(q_BHND):
        for first in range(0, batch, a):
            for start in range(0, n, r):
                mean_ARM = mean_BNM[first : first + a, start : start + r]
                for head in range(0, heads, g):
                    some = (slice(first, first + a), slice(head, head + g))
                    q_AGRD = q_BHND[some][:, :, start : start + r].to(full) * factor
                    p_AGRM = (q_AGRD @ k_BHMD[some].to(full).transpose(-2, -1)).softmax(-1)
                    o_BHNE[some][:, :, start : start + r] = p_AGRM @ v_BHME[some].to(full)
                    if head == 0:
                        torch.sum(p_AGRM, 1, out=mean_ARM)
                    else:
                        mean_ARM += p_AGRM.sum(1) if g > 1 else p_AGRM[:, 0]
                mean_ARM *= 1 / heads
    return o_BHNE, mean_BNM


def piece(batch: int, heads: int, n: int, row_bytes: int) -> tuple[int, int, int]:
    """(R, G, A): as many queries as there is room for, then heads, then samples; the pieces of a map are about equal."""
    pieces = -(-n // max(LEAST, PIECE_BYTES // row_bytes))
    r = -(-n // pieces)
    maps = max(1, PIECE_BYTES // (r * row_bytes))
    g = min(maps, heads)
    return r, g, min(max(1, maps // heads), batch)


def declines(q_BHND: Tensor, k_BHMD: Tensor, v_BHME: Tensor, mask: Tensor | None = None, scale: float | None = None) -> str | None:
    if q_BHND.device.type != "cpu":
        return "pieces of a cache's size are for processors"
    if mask is not None:
        return "with a mask it is no faster"
    if torch.is_grad_enabled() and (q_BHND.requires_grad or k_BHMD.requires_grad or v_BHME.requires_grad):
        return "a gradient needs the whole map"
    return loop_declines(q_BHND)
