"""Whose keys an image sees in training: an image of the twin in the batch, or for control somebody else's (section 2.4).

Twins are two people of one family. A person or a family of -1 is not known.

Shapes: B batch, E width of the embedding.
"""

import torch
from torch import Generator, Tensor

__all__ = ["choose_partners", "twins_of"]


def twins_of(person_B: Tensor, family_B: Tensor) -> Tensor:
    """Bool (B,B): of the same family and somebody else."""
    known_B = (person_B >= 0) & (family_B >= 0)
    kin_BB = (family_B[:, None] == family_B) & (person_B[:, None] != person_B)
    return kin_BB & known_B[:, None] & known_B


def choose_partners(
    how: str, person_B: Tensor, family_B: Tensor, generator: Generator | None = None, embedding_BE: Tensor | None = None
) -> Tensor:
    """The index of each image's partner, (B,); -1 where there is none: that image attends to itself alone.

    how: twin, random (somebody else), hard (the nearest somebody else by the embedding), self or none. Of several images, any.
    """
    if (how == "hard") == (embedding_BE is None):
        raise ValueError("partner=hard is the nearest by the embedding: pass embedding with hard, and with hard alone")
    batch = len(person_B)
    if how == "none":
        return torch.full_like(person_B, -1)
    if how == "self":
        return torch.arange(batch, device=person_B.device)
    if how == "twin":
        wanted_BB = twins_of(person_B, family_B)
    elif how in ("random", "hard"):
        known_B = person_B >= 0
        wanted_BB = (person_B[:, None] != person_B) & known_B[:, None] & known_B
    else:
        raise ValueError(f"partner is twin, random, hard, self or none, not {how!r}")
    if embedding_BE is not None:
        rank_BB = embedding_BE.detach().float() @ embedding_BE.detach().float().T
    else:
        rank_BB = torch.rand(batch, batch, generator=generator).to(person_B.device)
    best_B = rank_BB.masked_fill(~wanted_BB, -torch.inf).argmax(1) if batch else person_B
    return torch.where(wanted_BB.any(1), best_B, -1)
