"""Whose keys and values a picture sees in the pair branch: another picture of the batch, never its own.

A picture that is its own partner is a silent no-op: doubled keys leave a softmax average unchanged.
"""

import torch
from torch import Tensor

__all__ = ["choose_partners", "derange"]


def derange(n: int, generator: torch.Generator | None = None) -> Tensor:
    """A random permutation (n,) without fixed points: shuffled, then turned by one."""
    if n < 2:
        raise ValueError(f"{n} pictures have no partners")
    order = torch.randperm(n, generator=generator)
    partner = torch.empty_like(order)
    partner[order] = order.roll(-1)
    return partner


def choose_partners(source: str, labels_B: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, int]:
    """(partner of each picture (B,), how many had none of the wanted kind and got any other).

    source: batch, inter (another class), intra (the same class) or mixed (a coin for each picture).
    """
    labels_B = labels_B.cpu()
    n = len(labels_B)
    anyone_B = derange(n, generator)
    if source == "batch":
        return anyone_B, 0
    same_BB = labels_B[:, None] == labels_B[None, :]
    other_BB = ~torch.eye(n, dtype=torch.bool)
    if source == "mixed":
        inter_B = torch.rand(n, generator=generator) < 0.5
    else:
        inter_B = torch.full((n,), source == "inter")
    wanted_BB = torch.where(inter_B[:, None], ~same_BB, same_BB & other_BB)
    lot_BB = torch.rand(n, n, generator=generator).masked_fill(~wanted_BB, -1.0)
    found_B = wanted_BB.any(1)
    return torch.where(found_B, lot_BB.argmax(1), anyone_B), int((~found_B).sum())
