"""Which instances are dropped (property 5 to 7 of the method)."""

import itertools
import math

import pytest
import torch

from apps.mil.masking import build_mask, counts, high_share, kept
from apps.mil.options import Mask
from apps.mil.ranks import rank_within
from core_attention.segments import Segments
from tests.apps.mil.bags import noise


def made(lengths: list[int], seed: int = 0, heads: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    segments = Segments.from_lengths(lengths)
    scores = torch.rand(sum(lengths), heads, generator=torch.Generator().manual_seed(seed))
    return scores, noise(sum(lengths), seed + 1), segments.offsets


def rounded(x: float) -> int:
    return math.floor(x + 0.5)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_high_are_exactly_the_top(share: float) -> None:
    lengths = [40, 7, 13]
    scores, random, offsets = made(lengths)
    drops = build_mask(scores, random, offsets, Mask(high=share), share)
    for part, gone, n in zip(scores[:, 0].split(lengths), drops.high.split(lengths), lengths, strict=True):
        assert gone.sum() == rounded(share * n)
        assert set(part.topk(rounded(share * n)).indices.tolist()) == set(gone.nonzero().flatten().tolist())


def test_the_randomly_high_are_some_of_a_larger_pool() -> None:
    scores, random, offsets = made([60])
    drops = build_mask(scores, random, offsets, Mask(high=0.1, high_random=0.5), 0.1)
    pool = scores[:, 0].topk(12).indices
    assert drops.high.sum() == 6
    assert set(drops.high.nonzero().flatten().tolist()) < set(pool.tolist())
    again = build_mask(scores, noise(60, 9), offsets, Mask(high=0.1, high_random=0.5), 0.1)
    assert not torch.equal(again.high, drops.high)


def test_low_and_high_do_not_meet_while_there_is_room() -> None:
    scores, random, offsets = made([20, 11])
    drops = build_mask(scores, random, offsets, Mask(low=0.4, high=0.4), 0.4)
    assert not (drops.low & drops.high).any()
    first = slice(0, 20)
    assert scores[first][drops.low[first]].max() < scores[first][drops.high[first]].min()


@pytest.mark.parametrize("shares", [shares for shares in itertools.product((0.0, 0.3, 1.0), repeat=3) if any(shares)])
@pytest.mark.parametrize("how", ["round", "ceil"])
def test_no_bag_is_ever_emptied(shares: tuple[float, float, float], how: str) -> None:
    lengths = list(range(1, 51))
    scores, random, offsets = made(lengths)
    for p in (1.0, 0.5):
        if p < 1 and not shares[2]:
            continue
        mask = Mask(random=shares[0], low=shares[1], high=shares[2], high_random=p, count=how)  # type: ignore[arg-type]
        keep = build_mask(scores, random, offsets, mask, shares[2]).keep
        assert all(part.any() for part in keep.split(lengths))


def test_what_would_empty_a_bag_is_given_back_random_ones_first_then_the_highest_of_the_low() -> None:
    scores = torch.tensor([[0.1], [0.2], [0.3], [0.4], [0.9]])
    offsets, random = torch.tensor([0, 5]), noise(5)
    drops = build_mask(scores, random, offsets, Mask(low=0.8, high=0.2, min_keep=2), 0.2)
    assert drops.keep.tolist() == [False, False, True, True, False]
    drops = build_mask(scores, random, offsets, Mask(random=1.0, low=0.4, high=0.2), 0.2)
    assert drops.keep.sum() == 1
    assert drops.keep[2:4].sum() == 1


def test_a_bag_of_one_is_never_masked() -> None:
    scores, random, offsets = made([1, 1])
    assert build_mask(scores, random, offsets, Mask(random=1.0, low=1.0, high=1.0), 1.0).keep.all()


def test_bags_that_are_not_to_be_masked_stay_whole() -> None:
    scores, random, offsets = made([10, 10])
    drops = build_mask(scores, random, offsets, Mask(random=0.5, high=0.2), 0.2, torch.tensor([True, False]))
    assert drops.keep[10:].all()
    assert drops.keep[:10].sum() <= 5


def test_a_bag_is_masked_the_same_whatever_bags_go_with_it() -> None:
    lengths = [9, 30, 4]
    scores, random, offsets = made(lengths, heads=3)
    mask = Mask(random=0.3, low=0.2, high=0.2, high_random=0.5)
    together = build_mask(scores, random, offsets, mask, 0.2).keep.split(lengths)
    for part, s, r in zip(together, scores.split(lengths), random.split(lengths), strict=True):
        assert torch.equal(part, build_mask(s, r, torch.tensor([0, len(s)]), mask, 0.2).keep)


def test_the_same_noise_makes_the_same_mask_and_other_noise_another() -> None:
    scores, random, offsets = made([50])
    masks = [build_mask(scores, given, offsets, Mask(random=0.5), 0.0).keep for given in (random, random.clone(), noise(50, 7))]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_heads_vote_ties_go_to_the_higher_mean_and_then_to_the_first() -> None:
    scores = torch.tensor([[0.9, 0.0], [0.0, 0.8], [0.5, 0.5], [0.1, 0.1]])
    one = build_mask(scores, noise(4), torch.tensor([0, 4]), Mask(high=0.25), 0.25).high
    assert one.tolist() == [True, False, False, False]  # one vote each for 0 and 1; 0 has the higher mean
    two = build_mask(scores, noise(4), torch.tensor([0, 4]), Mask(high=0.5), 0.5).high
    assert two.tolist() == [True, False, True, False]  # two votes for 2; then 0 has the higher mean
    part = build_mask(scores, noise(4), torch.tensor([0, 4]), Mask(high=0.5, fusion="mean"), 0.5).high
    assert part.tolist() == [True, True, False, False]


def test_counts_round_half_up_or_up_and_are_not_fooled_by_binary_fractions() -> None:
    n = torch.tensor([10, 30, 5, 1])
    assert counts(0.1, n, "round").tolist() == [1, 3, 1, 0]
    assert counts(0.1, n, "ceil").tolist() == [1, 3, 1, 1]
    assert counts(0.0, n, "ceil").tolist() == [0, 0, 0, 0]


def test_the_high_share_falls_from_its_value_to_nothing() -> None:
    mask = Mask(high=0.05)
    shares = [high_share(mask, t / 20) for t in range(21)]
    assert shares[0] == 0.05
    assert shares[-1] == pytest.approx(0.0, abs=1e-12)
    assert all(a > b for a, b in itertools.pairwise(shares))
    assert high_share(Mask(high=0.05, decay="none"), 0.7) == 0.05


def test_kept_instances_stay_in_their_order() -> None:
    x, segments = torch.arange(6.0).unsqueeze(1), Segments.from_lengths([4, 2])
    y, rest = kept(x, segments, torch.tensor([True, False, True, True, False, True]))
    assert y[:, 0].tolist() == [0, 2, 3, 5]
    assert rest.offsets.tolist() == [0, 3, 4]


def test_ranks_are_within_bags_with_ties_by_the_next_key_and_then_by_index() -> None:
    segment, offsets = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 3, 5])
    rank = rank_within(segment, offsets, torch.tensor([1.0, 2.0, 1.0, 5.0, 5.0]), torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]))
    assert rank.tolist() == [2, 0, 1, 0, 1]


@pytest.mark.parametrize(
    "options",
    [{"high": 1.2}, {"random": -0.1}, {"high": 0.1, "high_random": 0.0}, {"min_keep": 0}, {"high_random": 0.5}, {"score_class": 1},
     {"whole_bag_weight": 0.5}],
)  # fmt: skip
def test_a_choice_that_cannot_act_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="mask"):
        Mask(**options)
