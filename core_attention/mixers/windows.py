"""Windows of a grid: which keys each query sees, as an index of tokens. Everything is made of small integer operations at
each call: an index that is kept would be state between inference mode, threads and devices.

Shapes: N tokens = prefix + C, C cells of the grid, R windows, G queries of a window, K keys of a window,
L places along one axis, T tiles along one axis.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from core_attention.grids import steps

__all__ = ["Windows", "cells", "neighbours", "tiles", "with_prefix"]


class Windows(NamedTuple):
    """Queries in groups that see the same keys. Token number N is a cell outside of the grid."""

    queries: Tensor  # (R,G)
    keys: Tensor  # (R,K), the prefix tokens first, then the window row by row
    slots: Tensor  # (C,), where among the R * G queries each cell is
    number: int  # R
    size: int  # G


def neighbours(like: Tensor, places: int, kernel: int, dilation: int, causal: bool) -> tuple[Tensor, Tensor]:
    """One axis of a neighbourhood: (keys (L,K), how far from the query (L,K), in steps of `dilation`).

    The window is centred where there is room and shifted inward at the ends, within each residue class of places.
    causal: the last `kernel` places up to the query; those before the first are -1.
    """
    here_L = steps(like, places)
    residue_L, step_L = here_L % dilation, here_L // dilation
    if causal:
        start_L = step_L - (kernel - 1)
    else:
        members_L = (places - 1 - residue_L) // dilation + 1  # of this place's residue class
        start_L = torch.minimum((step_L - kernel // 2).clamp(min=0), members_L - kernel)
    taken_LK = start_L[:, None] + steps(like, kernel)
    keys_LK = torch.where(taken_LK < 0, -1, taken_LK * dilation + residue_L[:, None])
    return keys_LK, taken_LK - step_L[:, None]


def tiles(like: Tensor, places: int, block: int, reach: int) -> Tensor:
    """One axis cut into tiles of `block` places, with `reach` more on either side: places (T, block + 2 reach), -1 outside."""
    count = -(-places // block)
    places_TK = steps(like, count)[:, None] * block - reach + steps(like, block + 2 * reach)
    return torch.where(places_TK < places, places_TK, -1).clamp(min=-1)


def cells(rows_TI: Tensor, columns_TJ: Tensor, grid: tuple[int, int], prefix: int) -> Tensor:
    """Tokens (R,I*J) of the windows that two axes span, row by row; N where either is outside."""
    row, column = rows_TI[:, None, :, None], columns_TJ[None, :, None, :]
    tokens = prefix + row * grid[1] + column
    return tokens.masked_fill((row < 0) | (column < 0), prefix + grid[0] * grid[1]).flatten(2).flatten(0, 1)


def with_prefix(keys_RK: Tensor, prefix: int) -> Tensor:
    """The prefix tokens in front of each window."""
    return torch.cat([steps(keys_RK, prefix).expand(keys_RK.shape[0], -1), keys_RK], 1) if prefix else keys_RK
