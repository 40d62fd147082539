"""How many directions a map uses.

Shapes: N query tokens, M key tokens; `...` any dimensions before. Signed maps are welcome; a map of zeros has rank 0.
"""

import torch
from torch import Tensor

from core_attention.maps.rows import entropy_of, shares

__all__ = ["effective_rank", "stable_rank"]


def effective_rank(map_NM: Tensor) -> Tensor:
    """exp of the entropy of the singular values' shares (Roy and Vetterli, 2007); (...) of a map (..., N, M)."""
    values = _singular(map_NM)
    return entropy_of(shares(values)).exp() * (values.amax(-1) != 0)


def stable_rank(map_NM: Tensor) -> Tensor:
    """Squared Frobenius norm over squared spectral norm; (...) of a map (..., N, M)."""
    square = _singular(map_NM).square()
    top = square.amax(-1)
    return square.sum(-1) / top.masked_fill(top == 0, 1.0)


def _singular(map_NM: Tensor) -> Tensor:
    """The singular values, in at least float32: svd knows nothing less."""
    full = map_NM.to(torch.promote_types(map_NM.dtype, torch.float32))
    values: Tensor = torch.linalg.svdvals(full)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return values  # pyright: ignore[reportUnknownVariableType]
