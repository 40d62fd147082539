"""Tokens as the cells of a grid.

Shapes: B batch, N tokens, D width, Y X the grid.
"""

from torch import Tensor

from kernels.dispatch import is_tracing

__all__ = ["to_grid"]


def to_grid(name: str, x_BND: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B,Y,X,D). There is no room for tokens beside the grid, such as a class token."""
    height, width = grid
    if not is_tracing() and x_BND.shape[1] != height * width:
        raise ValueError(
            f"{name}: {int(x_BND.shape[1])} tokens are no grid of {height}x{width}={height * width}; it takes no class token or registers"
        )
    return x_BND.reshape(x_BND.shape[0], height, width, x_BND.shape[-1])
