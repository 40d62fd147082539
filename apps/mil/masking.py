"""Which instances are dropped: the easy ones (sections 2.5, 2.8). A function of scores and noise, the same on any machine.

Shapes: T instances of all bags, S bags, H heads.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from apps.mil.options import Mask
from apps.mil.ranks import rank_within, sizes
from core_attention.segments import Segments
from kernels.ragged import segment_of, segment_sum

__all__ = ["Drops", "build_mask", "counts", "high_share", "kept"]


class Drops(NamedTuple):
    """All bool (T,). `keep` is not simply the rest: what would have emptied a bag was given back."""

    keep: Tensor
    random: Tensor
    low: Tensor
    high: Tensor


def high_share(mask: Mask, progress: float) -> float:
    """h_t at this share of training: (h/2) (1 + cos(pi t/T))."""
    return mask.high if mask.decay == "none" else 0.5 * mask.high * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def counts(share: float, of_S: Tensor, how: str) -> Tensor:
    """A share of each bag as a number of instances. In double: 0.1 * 30 must not become 4 by rounding up."""
    exact_S = share * of_S.double()
    return ((exact_S + 0.5 + 1e-9).floor() if how == "round" else (exact_S - 1e-9).ceil()).long().clamp(min=0)


def build_mask(scores_TH: Tensor, noise_T3: Tensor, offsets: Tensor, mask: Mask, high: float, active_S: Tensor | None = None) -> Drops:
    """`high` is h_t, which decays. `active_S`: bags that are masked at all, None: every one.

    noise: uniform numbers; the first column chooses among the high, the second at random.
    """
    n_S = sizes(offsets)
    segment_T = segment_of(scores_TH[:, 0], offsets)
    mean_T = scores_TH.mean(1)

    def first(keys: tuple[Tensor, ...], many_S: Tensor) -> Tensor:
        return rank_within(segment_T, offsets, *keys) < many_S[segment_T]

    pool_S = torch.minimum(n_S, counts(high / mask.high_random, n_S, mask.count))
    high_T = _top(scores_TH, pool_S, segment_T, offsets, mask.fusion)
    if mask.high_random < 1:
        # Where the pool would be larger than the bag, the random share becomes h itself.
        whole = high > mask.high_random
        many_S = counts(high, n_S, mask.count) if whole else counts(mask.high_random, pool_S, mask.count)
        high_T = high_T & first((high_T.double(), noise_T3[:, 0]), many_S)
    low_T = _top(-scores_TH, torch.minimum(n_S, counts(mask.low, n_S, mask.count)), segment_T, offsets, mask.fusion)
    random_T = first((noise_T3[:, 1],), counts(mask.random, n_S, mask.count))
    drop_T = random_T | low_T | high_T
    if active_S is not None:
        drop_T = drop_T & active_S[segment_T]

    # Given back until enough are left: random ones first, then the highest of the low, then the lowest of the high.
    tier_T = torch.where(high_T, 1, torch.where(low_T, 2, 3)) * drop_T
    within_T = torch.where(high_T, -mean_T, torch.where(low_T, mean_T, noise_T3[:, 2].to(mean_T.dtype)))
    excess_S = (segment_sum(drop_T.long(), segment_T, offsets) - (n_S - mask.min_keep)).clamp(min=0)
    back_T = first((tier_T, within_T), excess_S)
    drop_T = drop_T & ~back_T
    return Drops(~drop_T, random_T & drop_T, low_T & drop_T, high_T & drop_T)


def _top(scores_TH: Tensor, many_S: Tensor, segment_T: Tensor, offsets: Tensor, fusion: str) -> Tensor:
    """The `many` best of each bag, bool (T,); several heads vote, or each gives its part."""
    heads = scores_TH.shape[1]
    if heads == 1:
        return rank_within(segment_T, offsets, scores_TH[:, 0]) < many_S[segment_T]
    each_S = many_S if fusion == "vote" else many_S // heads
    own_TH = torch.stack([rank_within(segment_T, offsets, column) for column in scores_TH.unbind(1)], 1) < each_S[segment_T].unsqueeze(1)
    if fusion == "mean":
        return own_TH.any(1)
    return rank_within(segment_T, offsets, own_TH.sum(1), scores_TH.mean(1)) < many_S[segment_T]


def kept(x_TD: Tensor, segments: Segments, keep_T: Tensor) -> tuple[Tensor, Segments]:
    """The kept instances in their order. `longest` stays the old one, an upper bound: to know better would wait for the device."""
    counts_S = segment_sum(keep_T.long(), segment_of(keep_T, segments.offsets), segments.offsets)
    offsets = torch.cat([counts_S.new_zeros(1), counts_S.cumsum(0)])
    return x_TD[keep_T], Segments(offsets, segments.longest, segments.count)
