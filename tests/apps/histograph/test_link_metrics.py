"""Hits@K and MRR of links: a perfect ranking, ties, one link at a known rank."""

import math

import pytest
import torch

from apps.histograph.link_metrics import LinkRanks, ranks


def measured(links: list[float], others: list[float]) -> tuple[float, dict[int, float]]:
    metric = LinkRanks()
    metric.update(torch.tensor(links + others), torch.tensor([1] * len(links) + [0] * len(others)))
    return float(metric.compute()), metric.hits()


def test_links_above_every_other_pair_have_rank_one() -> None:
    mrr, hits = measured([0.9, 0.8], [i / 300 for i in range(200)])
    assert mrr == 1.0
    assert hits == {10: 1.0, 50: 1.0, 100: 1.0}


def test_where_everything_ties_every_link_is_last() -> None:
    mrr, hits = measured([0.5] * 3, [0.5] * 199)
    assert mrr == pytest.approx(1 / 200)
    assert hits == {10: 0.0, 50: 0.0, 100: 0.0}


@pytest.mark.parametrize("rank", [1, 10, 11, 50, 51, 200, 201])
def test_one_link_at_a_rank_is_measured_as_that_rank(rank: int) -> None:
    others = [float(i) for i in range(200)]
    mrr, hits = measured([200.5 - rank], others)
    assert mrr == pytest.approx(1 / rank)
    assert hits == {k: float(rank <= k) for k in (10, 50, 100)}


def test_a_tie_counts_against_the_link() -> None:
    assert ranks(torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.5, 0.1, 0.9, 0.5])).tolist() == [2, 4, 5]


def test_a_score_that_is_no_number_never_helps() -> None:
    assert ranks(torch.tensor([math.nan, 0.4]), torch.tensor([0.3, math.nan])).tolist() == [3, 2]


def test_a_split_of_few_pairs_has_no_figure_for_a_k_that_all_reach() -> None:
    assert set(measured([0.9], [0.1] * 50)[1]) == {10}


def test_batches_and_their_order_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    score, label = torch.randint(0, 30, (150,), generator=generator) / 30, torch.arange(150) % 2
    whole, parts = LinkRanks(), LinkRanks()
    whole.update(score, label)
    for own in torch.randperm(150, generator=generator).split(40):
        parts.update(score[own], label[own])
    assert float(parts.compute()) == float(whole.compute())
    assert parts.hits() == whole.hits()
