"""The eight symmetries of the square: the network sees the plane turned and mirrored, the costs stay those of the original distances.

Shapes: B instances, G symmetries, N nodes.
"""

import torch
from torch import Tensor

__all__ = ["SYMMETRIES", "mirrored"]

# (swapped, factor of x, factor of y), in the order of the brief; coordinates are centred, so 1 - x is -x
SYMMETRIES = (
    (False, 1, 1), (True, 1, 1), (False, -1, 1), (True, 1, -1), (False, 1, -1), (True, -1, 1), (False, -1, -1), (True, -1, -1),
)  # fmt: skip


def mirrored(batch: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """Each instance `count` times, one after the other: (B G, ...)."""
    many = {name: tensor.repeat_interleave(count, 0) for name, tensor in batch.items()}
    views: list[Tensor] = []
    for swapped, x, y in SYMMETRIES[:count]:
        view_BN2 = batch["xy"].flip(2) if swapped else batch["xy"]
        views.append(view_BN2 * view_BN2.new_tensor([x, y]))
    return {**many, "xy": torch.stack(views, 1).flatten(0, 1)}
