"""How far a head looks: the mean distance from query to key, and where to.

Shapes: B batch, H heads, N tokens = prefix + P, P tokens of the grid.
"""

import torch
from torch import Tensor

__all__ = ["attention_distance", "offset_profile"]


def attention_distance(map_BHNN: Tensor, grid: tuple[int, int], pixels: float | tuple[float, float] = 1.0, prefix: int = 0) -> Tensor:
    """Mean over the queries of sum_j A_ij |place_i - place_j|, (B,H), in pixels where a token is `pixels` (high, wide).

    Prefix tokens are left out and the rows made to sum to one again. Queries whose weight lies on the prefix alone, or nowhere,
    are left out; a head that has no other is nan.
    """
    high, wide = pixels if isinstance(pixels, tuple) else (pixels, pixels)
    dy_PP, dx_PP = _offsets(map_BHNN, grid)
    far_PP = torch.hypot(dy_PP.to(map_BHNN.dtype) * high, dx_PP.to(map_BHNN.dtype) * wide)
    return (_mean_weights(map_BHNN, grid, prefix, "attention_distance") * far_PP).sum((-1, -2))


def offset_profile(map_BHNN: Tensor, grid: tuple[int, int], prefix: int = 0) -> Tensor:
    """Where a head looks from where it stands: the mean weight at each offset, (B,H,2h-1,2w-1), the query itself in the middle.

    It sums to one, and its mean distance from the middle is `attention_distance`. Queries are left out as there.
    """
    height, width = grid
    weights_BHPP = _mean_weights(map_BHNN, grid, prefix, "offset_profile")
    dy_PP, dx_PP = _offsets(map_BHNN, grid)
    place_PP = (dy_PP + height - 1) * (2 * width - 1) + dx_PP + width - 1
    batch, heads = weights_BHPP.shape[:2]
    flat = weights_BHPP.new_zeros((batch, heads, (2 * height - 1) * (2 * width - 1)))
    flat = flat.index_add(-1, place_PP.flatten(), weights_BHPP.flatten(-2))
    return flat.reshape(batch, heads, 2 * height - 1, 2 * width - 1)


def _mean_weights(map_BHNN: Tensor, grid: tuple[int, int], prefix: int, what: str) -> Tensor:
    """Without the prefix, rows summing to one over the number of rows that count (B,H,P,P)."""
    n, m = map_BHNN.shape[-2:]
    if n != m or n != prefix + grid[0] * grid[1]:
        raise ValueError(f"{what}: a map of {n} x {m} is not of {prefix} prefix tokens and a grid of {grid[0]} x {grid[1]}")
    if bool((map_BHNN < 0).any()):
        raise ValueError(f"{what}: the map is signed; make its rows shares first (maps.shares)")
    patches_BHPP = map_BHNN[..., prefix:, prefix:]
    sum_BHP1 = patches_BHPP.sum(-1, keepdim=True)
    counts_BHP1 = sum_BHP1 > 0
    rows_BHPP = patches_BHPP / sum_BHP1.masked_fill(~counts_BHP1, 1.0)
    return rows_BHPP / counts_BHP1.sum(-2, keepdim=True)  # 0 / 0 is nan: no query counts


def _offsets(like: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows and columns from query to key, whole numbers (P,P)."""
    place_P = torch.arange(grid[0] * grid[1], device=like.device)
    y_P, x_P = place_P // grid[1], place_P % grid[1]
    return y_P[None] - y_P[:, None], x_P[None] - x_P[:, None]
