"""Losses of the pairs in a batch: the twin-aware triplet and the supervised contrastive loss (section 3).

An image of an unknown person (-1) takes no part, and an image that stands in a batch twice is not its own match. A batch in which
nothing can be compared gives exactly 0, with a gradient of 0.

Shapes: B batch, E width of the embedding.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize, relu

from apps.ahan.partners import twins_of

__all__ = ["contrastive", "cosine_distance", "twin_triplet"]


def cosine_distance(embedding_BE: Tensor) -> Tensor:
    """(B,B), in [0, 2] and at least float32."""
    e_BE = embedding_BE if embedding_BE.dtype == torch.float64 else embedding_BE.float()
    e_BE = normalize(e_BE)
    return (1 - e_BE @ e_BE.T).clamp(0, 2)


def twin_triplet(
    embedding_BE: Tensor,
    person_B: Tensor,
    family_B: Tensor,
    margin: float = 0.5,
    negative: str = "twin_or_hard",
    generator: Generator | None = None,
    id_B: Tensor | None = None,
) -> Tensor:
    """The farthest image of the own person should be nearer, by the margin, than somebody else's: relu(P - N + margin).

    negative: twin_or_hard, the mean of two terms, one with the nearest image of the twin (where there is one), one with the nearest of
    anybody else (ours: the nearest of all would seldom be asked who it is); hard, the nearest of all; random, any one. id: which image.
    """
    distance_BB = cosine_distance(embedding_BE)
    own_BB, other_BB = _sides(person_B, id_B)
    farthest_B = distance_BB.masked_fill(~own_BB, -torch.inf).amax(1)
    if negative == "twin_or_hard":
        twin_BB = twins_of(person_B, family_B)
        kinds = [twin_BB, other_BB & ~twin_BB]
    elif negative == "hard":
        kinds = [other_BB]
    elif negative == "random":
        lot_BB = torch.rand(distance_BB.shape, generator=generator).to(other_BB.device).masked_fill(~other_BB, -1)
        one_BB = torch.zeros_like(other_BB).scatter_(1, lot_BB.argmax(1, keepdim=True), True)
        kinds = [one_BB & other_BB]
    else:
        raise ValueError(f"negative is twin_or_hard, hard or random, not {negative!r}")
    there_KB = torch.stack([kind_BB.any(1) & own_BB.any(1) for kind_BB in kinds])
    nearest_KB = torch.stack([distance_BB.masked_fill(~kind_BB, torch.inf).amin(1) for kind_BB in kinds])
    # of absent terms nothing is computed: an infinity times 0 would be NaN in the gradient
    gap_KB = torch.where(there_KB, farthest_B, 0.0) - torch.where(there_KB, nearest_KB, 0.0)
    hinge_KB = torch.where(there_KB, relu(gap_KB + margin), 0.0)
    used_B = there_KB.any(0)
    if not bool(used_B.any()):
        return distance_BB.sum() * 0.0
    return (hinge_KB.sum(0) / there_KB.sum(0).clamp(min=1))[used_B].mean()


def contrastive(embedding_BE: Tensor, person_B: Tensor, tau: float = 0.1, id_B: Tensor | None = None) -> Tensor:
    """Each image against all others of the batch: the own person's should have the mass (Khosla et al., arXiv 2004.11362, L_out)."""
    distance_BB = cosine_distance(embedding_BE)
    own_BB, other_BB = _sides(person_B, id_B)
    used_B = own_BB.any(1)
    if not bool(used_B.any()):
        return distance_BB.sum() * 0.0
    logits_BB = ((1 - distance_BB) / tau).masked_fill(~(own_BB | other_BB), -torch.inf)[used_B]
    own_UB = own_BB[used_B]
    gap_UB = torch.where(own_UB, logits_BB - logits_BB.logsumexp(1, keepdim=True), 0.0)
    return -(gap_UB.sum(1) / own_UB.sum(1)).mean()


def _sides(person_B: Tensor, id_B: Tensor | None) -> tuple[Tensor, Tensor]:
    """(other images of the own person, images of somebody else), both bool (B,B)."""
    known_B = person_B >= 0
    known_BB = known_B[:, None] & known_B
    same_BB = person_B[:, None] == person_B
    itself_BB = torch.eye(len(person_B), dtype=torch.bool, device=person_B.device) if id_B is None else id_B[:, None] == id_B
    return same_BB & known_BB & ~itself_BB, ~same_BB & known_BB
