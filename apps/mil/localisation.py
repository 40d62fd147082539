"""How well the instances that matter are found, where it is known which they are: in made bags, and in annotated slides.

Shapes: T instances of all bags, S bags.
"""

from itertools import pairwise

import torch
from torch import Tensor

from apps.base.ranking import auc
from apps.mil.ranks import rank_within
from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["hard_recall", "instance_auc", "instance_recall", "positives"]

COVERED = 0.5  # ours: a tile is positive from half of its area on


def positives(known: dict[str, Tensor]) -> Tensor | None:
    """(T,) bool: from the annotated share of tiles; None where nothing is known."""
    return known["truth"] >= COVERED if "truth" in known else None


def instance_auc(scores_T: Tensor, positive_T: Tensor, segments: Segments) -> Tensor:
    """(S,): within each bag, for attention sums to 1 in each; NaN where all instances are of one sort."""
    ends = pairwise(segments.offsets.tolist())
    each = [auc(scores_T[first:last].cpu(), positive_T[first:last].cpu()) for first, last in ends]
    return torch.stack(each).to(scores_T.device)


def instance_recall(scores_T: Tensor, positive_T: Tensor, segments: Segments) -> Tensor:
    """(S,): of a bag's n positives, the share among its n highest scores; NaN where it has none."""
    offsets = segments.offsets
    segment_T = segment_of(scores_T, offsets)
    none_S = torch.zeros(len(offsets) - 1, device=scores_T.device)
    many_S = none_S.index_add(0, segment_T, positive_T.float())
    top_T = rank_within(segment_T, offsets, scores_T) < many_S[segment_T]
    return none_S.index_add(0, segment_T, (top_T & positive_T).float()) / many_S


def hard_recall(attention_T: Tensor, positive_T: Tensor, hard_T: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """(share of a bag's hard instances among as many most attended ones as it has positives, weight) of the bags that have some."""
    segment_T = segment_of(attention_T, offsets)
    many_S, hard_S = (torch.zeros_like(offsets[1:]).index_add(0, segment_T, some_T.long()) for some_T in (positive_T, hard_T))
    top_T = rank_within(segment_T, offsets, attention_T) < many_S[segment_T]
    hit_S = torch.zeros_like(many_S).index_add(0, segment_T, (top_T & hard_T).long())
    return hit_S / hard_S.clamp(min=1), (hard_S > 0).float()
