"""Ragged things, made in collate on the CPU: one flat tensor, where each item begins, and sizes that the device must not be asked for."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Ragged", "flatten"]


class Ragged(NamedTuple):
    """S items in one tensor of T rows. All but `flat` is what attention takes as its Segments."""

    flat: Tensor  # (T, ...)
    offsets: Tensor  # int64 (S+1,): the first is 0, the last is T
    longest: int
    count: int


def flatten(items: Sequence[Tensor]) -> Ragged:
    """One tensor of several that agree in all but their first size; empty ones are allowed.

    >>> flatten([torch.ones(2), torch.zeros(1)])
    Ragged(flat=tensor([1., 1., 0.]), offsets=tensor([0, 2, 3]), longest=2, count=2)
    """
    if not items:
        raise ValueError("nothing to flatten: at least one item is needed, to know its type and width")
    lengths = [len(item) for item in items]
    offsets = torch.zeros(len(items) + 1, dtype=torch.int64)
    torch.cumsum(torch.tensor(lengths, dtype=torch.int64), 0, out=offsets[1:])
    return Ragged(torch.cat(list(items)), offsets, max(lengths), len(items))
