"""Segments of any length cut into tiles on the device: which tile belongs to which segment, without waiting for the device.

Shapes: T tokens of all segments, S segments, G tiles, as many as there could be at most: those that are too many belong to segment S.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kernels.launch import cdiv

__all__ = ["Tiles", "cut"]


class Tiles(NamedTuple):
    segment_G: Tensor  # int64
    end_S: Tensor  # the tiles of all segments up to and with this one
    offsets: Tensor  # int64, on the device
    number: int  # G

    @property
    def table(self) -> tuple[Tensor, Tensor, Tensor, int]:
        """What a kernel takes: the tensors and S."""
        return self.segment_G, self.end_S, self.offsets, self.offsets.shape[0] - 1


def cut(offsets: Tensor, tokens: int, block: int) -> Tiles:
    offsets = offsets.long()
    end_S = ((offsets.diff() + (block - 1)) // block).cumsum(0)
    most = cdiv(tokens, block) + offsets.shape[0] - 1
    segment_G = torch.searchsorted(end_S, torch.arange(most, device=offsets.device), right=True)
    return Tiles(segment_G, end_S, offsets, most)
