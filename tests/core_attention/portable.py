"""Weights and pictures that are the same on every machine and with every version: integers, hashed."""

import torch
from torch import Tensor

__all__ = ["hashed", "hashed_state"]


def hashed(shape: tuple[int, ...] | torch.Size, salt: int) -> Tensor:
    """Numbers in [-1, 1)."""
    h = torch.arange(torch.Size(shape).numel(), dtype=torch.int64) * 2654435761 + salt * 40503
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 3266489917) & 0xFFFFFFFF
    return ((h ^ (h >> 16)).double() / 2**31 - 1).float().reshape(shape)


def hashed_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the same names and shapes, of sane sizes: what it holds depends on the names' order only."""
    new: dict[str, Tensor] = {}
    for salt, (name, old) in enumerate(sorted(state.items())):
        value = hashed(old.shape, salt)
        if name.endswith("num_batches_tracked"):
            value = torch.zeros_like(old)
        elif name.endswith("running_var"):
            value = 1 + 0.5 * value
        elif old.ndim == 1 and name.endswith(("weight", "gamma")):
            value = 1 + 0.2 * value
        elif old.ndim == 1:
            value = 0.1 * value
        elif name.endswith("weight"):
            value = value * (3 / old[0].numel()) ** 0.5
        new[name] = value
    return new
