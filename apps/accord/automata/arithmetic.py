"""Small operations that all automata share: exact ratios of integers, and picking by index.

B instances, S rollouts, N tokens or actions.
"""

import torch
from torch import Tensor

__all__ = ["chosen", "first_true", "ratio", "real", "rows", "spread"]


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """float32 part / whole, 0 where whole is 0. Below 2**53 both may be multiplied by one integer, and the bits stay the same."""
    divisor = whole.double()
    return (part.double() / divisor.masked_fill(divisor <= 0, float("inf"))).float()


def chosen(values_BSN: Tensor, index_BS: Tensor) -> Tensor:
    """The value at an index of the last axis; a negative index reads the first."""
    return values_BSN.gather(2, index_BS.clamp(min=0).unsqueeze(2)).squeeze(2)


def rows(matrix_BNM: Tensor, index_BS: Tensor) -> Tensor:
    """A row of each instance's matrix for each rollout (B,S,M); a negative index reads the first."""
    count, height, width = matrix_BNM.shape
    base = torch.arange(count, device=matrix_BNM.device).unsqueeze(1) * height
    picked = matrix_BNM.reshape(count * height, width).index_select(0, (base + index_BS.clamp(min=0)).flatten())
    return picked.view(count, index_BS.shape[1], width)


def real(size_B: Tensor, width: int) -> Tensor:
    """(B,width): which places are no padding."""
    return torch.arange(width, device=size_B.device) < size_B.unsqueeze(1)


def spread(values_B: Tensor, rollouts: int) -> Tensor:
    """(B,...) as (B,S,...): a view."""
    shape = list(values_B.shape)
    shape.insert(1, rollouts)
    return values_B.unsqueeze(1).expand(shape)


def first_true(flags_BSN: Tensor) -> Tensor:
    """Index of the first True of the last axis; its width where there is none. (argmax promises no order among equals.)"""
    width = flags_BSN.shape[2]
    if width == 0:
        return torch.zeros(flags_BSN.shape[:2], dtype=torch.int64, device=flags_BSN.device)
    places = torch.arange(width, device=flags_BSN.device).expand_as(flags_BSN)
    return places.masked_fill(~flags_BSN, width).amin(2)
