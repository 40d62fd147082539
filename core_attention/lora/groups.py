"""Rows of a batch by the adapter they take: found once per forward, used by every stack.

Shapes: B rows.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Groups", "group"]


class Groups(NamedTuple):
    order: Tensor  # int64 (B,): rows, those of one adapter side by side, those of none first
    back: Tensor  # int64 (B,): where each row went
    sizes: list[int]  # rows of none, of adapter 0, of adapter 1, ...


def group(route_B: Tensor, experts: int) -> Groups:
    """route_B: int64, -1 for none. It reads the counts: one synchronisation on a GPU."""
    order_B = torch.argsort(route_B, stable=True)
    sizes: list[int] = torch.bincount(route_B + 1, minlength=experts + 1).tolist()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if len(sizes) > experts + 1:
        raise ValueError("a route names an adapter that is not there")
    return Groups(order_B, torch.argsort(order_B), sizes)
