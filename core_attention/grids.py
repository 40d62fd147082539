"""Tokens that lie on a grid: row by row, behind any prefix tokens.

Shapes: B batch, N tokens, D width, Y X the grid.
"""

import torch
from torch import Tensor

from kernels.dispatch import is_tracing

__all__ = ["check_grid", "steps", "to_grid"]


def check_grid(name: str, x_BND: Tensor, grid: tuple[int, int], prefix: int = 0) -> None:
    """Refuse a grid that these tokens do not fill. Left out of a trace, where sizes are tensors."""
    height, width = grid
    if height < 1 or width < 1:
        raise ValueError(f"{name}: grid={height}x{width} has no cells")
    if not is_tracing() and x_BND.shape[1] != prefix + height * width:
        count = f"a grid of {height}x{width} and prefix={prefix} make {prefix + height * width}"
        raise ValueError(f"{name}: x has {x_BND.shape[1]} tokens, but {count}; pass the grid of the tokens behind the prefix")


def steps(like: Tensor, n: int) -> Tensor:
    """0, 1, ... n-1 in int64 where `like` is: arange(device=...) would bake the device into a trace."""
    return like.new_ones((n,), dtype=torch.int64).cumsum(0) - 1


def to_grid(name: str, x_BND: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B,Y,X,D). There is no room for tokens beside the grid, such as a class token."""
    check_grid(name, x_BND, grid)
    return x_BND.reshape(x_BND.shape[0], *grid, x_BND.shape[-1])
