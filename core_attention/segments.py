"""Ragged tokens: where each segment of a flat tensor begins and ends.

Shapes: T tokens of all segments, S segments, D width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kernels.dispatch import is_tracing

__all__ = ["Segments"]


class Segments(NamedTuple):
    """Where each segment of a flat (T, D) tensor begins and ends. Made on the CPU, so that nothing later waits for the device."""

    offsets: Tensor  # int64 (S+1,): the first is 0, the last is T
    longest: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]

    @classmethod
    def from_lengths(cls, lengths: list[int]) -> "Segments":
        """
        >>> Segments.from_lengths([2, 0, 3])
        Segments(offsets=tensor([0, 2, 2, 5]), longest=3, count=3)
        """
        return cls.from_offsets(torch.tensor([0, *lengths]).cumsum(0))

    @classmethod
    def from_offsets(cls, offsets: Tensor) -> "Segments":
        if is_tracing():
            # In a trace sizes are tensors, and must stay so: a plain number would be baked into the program.
            return cls(offsets.long(), offsets.diff().max(), offsets.shape[0] - 1)  # pyright: ignore[reportArgumentType]
        if offsets.ndim != 1 or len(offsets) < 2 or offsets.is_floating_point():
            raise ValueError(f"offsets are whole numbers (S+1,) with S >= 1, not {offsets.dtype} {tuple(offsets.shape)}")
        lengths = offsets.diff()
        if offsets[0] != 0 or (lengths < 0).any():
            raise ValueError(f"offsets begin at 0 and never decrease: {offsets}")
        return cls(offsets.long(), int(lengths.max()), len(lengths))

    def to(self, device: torch.device | str) -> "Segments":
        return self._replace(offsets=self.offsets.to(device, non_blocking=True))

    def check(self, x_TD: Tensor, what: str) -> None:
        """Refuse a tensor that these segments do not describe. Reading the offsets of a GPU tensor would wait for the device."""
        if x_TD.ndim != 2:
            raise ValueError(f"{what}: with segments it is (T, D), not {tuple(x_TD.shape)}")
        if not is_tracing() and self.offsets.device.type == "cpu" and not torch.compiler.is_compiling() and self.offsets[-1] != len(x_TD):
            raise ValueError(f"{what}: the offsets end at {int(self.offsets[-1])}, but there are {len(x_TD)} tokens")
