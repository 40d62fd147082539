import math

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.dcal.ranking import Gathered, evaluate, measure, similarity

PROTOCOLS = ("market", "cross", "same-camera-allowed")


def long(*values):
    return torch.tensor(values, dtype=torch.int64)


def one(scores, same, cameras, protocol="market", **options):
    """One query of person 0 by camera 0; gallery pictures of person 0 where `same`."""
    identities = torch.where(torch.tensor(same, dtype=torch.bool), 0, torch.arange(1, len(same) + 1))
    return measure(torch.tensor([scores]), long(0), long(0), identities, long(*cameras), protocol, **options)


def test_perfect_ranking_is_one_in_every_number():
    ranking = one([0.9, 0.8, 0.1, 0.0], [1, 1, 0, 0], [1, 2, 1, 1])
    assert ranking.mean_ap == ranking.mean_inp == ranking.cmc[1] == 1
    assert (ranking.queries, ranking.unmatched) == (1, 0)


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
def test_one_match_at_rank_r_has_precision_one_over_r(rank):
    same = [place == rank for place in range(1, 6)]
    ranking = one([5.0, 4, 3, 2, 1], same, [1] * 5, ranks=(1, 3, 10))
    assert ranking.mean_ap == ranking.mean_inp == pytest.approx(1 / rank)
    assert ranking.cmc == {1: float(rank <= 1), 3: float(rank <= 3), 10: 1.0}


def test_average_precision_is_not_interpolated():
    """Hits at 1, 3 and 6: (1/1 + 2/3 + 3/6) / 3; the last at 6 of 3 matches."""
    ranking = one([6.0, 5, 4, 3, 2, 1], [1, 0, 1, 0, 0, 1], [1] * 6)
    assert ranking.mean_ap == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert ranking.mean_inp == pytest.approx(3 / 6)


def test_worst_ranking_has_the_closed_form():
    """m matches behind n distractors."""
    n, m = 7, 3
    ranking = one([float(n + m - at) for at in range(n + m)], [0] * n + [1] * m, [1] * (n + m))
    assert ranking.mean_ap == pytest.approx(sum(h / (n + h) for h in range(1, m + 1)) / m)


def test_market_drops_same_camera_matches_cross_drops_the_camera_and_the_third_drops_nothing():
    """Own camera 0: a match on top, then a distractor, then the true match by camera 1."""
    scores, same, cameras = [4.0, 3, 2, 1], [1, 0, 1, 0], [0, 0, 1, 1]
    assert one(scores, same, cameras, "market").mean_ap == pytest.approx(1 / 2)
    assert one(scores, same, cameras, "cross").mean_ap == pytest.approx(1)
    assert one(scores, same, cameras, "same-camera-allowed").mean_ap == pytest.approx((1 + 2 / 3) / 2)


def test_query_without_a_match_is_counted_and_left_out():
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0]])
    ranking = measure(scores, long(1, 9), long(0, 0), long(1, 2), long(1, 1), "market")
    assert (ranking.queries, ranking.unmatched, ranking.mean_ap) == (1, 1, 1.0)
    assert math.isnan(ranking.average_precisions[1])
    assert ranking.named()["market/unmatched"] == 1


def test_all_queries_without_a_match_is_an_error_that_names_the_cameras():
    with pytest.raises(
        UserError, match=r"none of the 2 queries has a match left under protocol market \(cameras: 3\).*same-camera-allowed"
    ):
        measure(torch.zeros(2, 2), long(1, 2), long(3, 3), long(1, 2), long(3, 3), "market")
    with pytest.raises(UserError, match="no query's identity is in the gallery"):
        measure(torch.zeros(2, 2), long(1, 2), long(3, 3), long(4, 5), long(3, 3), "same-camera-allowed")
    assert measure(torch.eye(2), long(1, 2), long(3, 3), long(1, 2), long(3, 3), "same-camera-allowed").mean_ap == 1


@pytest.mark.parametrize("protocol", ["market", "cross"])
def test_a_missing_camera_is_no_camera(protocol):
    with pytest.raises(UserError, match=f"2 of 3 pictures have no camera, which protocol {protocol} needs; use same-camera-allowed"):
        measure(torch.zeros(1, 2), long(1), long(-1), long(1, 2), long(0, -1), protocol)


def test_metrics_are_named_after_their_protocol():
    names = one([1.0], [1], [1], "cross").named()
    assert names.keys() == {"cross/mAP", "cross/R1", "cross/R5", "cross/R10", "cross/mINP", "cross/unmatched"}
    assert "cross+rerank/mAP" in one([1.0], [1], [1], "cross", by="rerank").named()


def test_ties_follow_the_gallerys_order():
    assert one([1.0, 1.0, 1.0], [0, 1, 0], [1] * 3).mean_ap == pytest.approx(1 / 2)
    assert one([1.0, 1.0, 1.0], [1, 0, 0], [1] * 3).mean_ap == 1


def test_equal_vectors_tie_whatever_their_place_in_the_product():
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(1, 384, generator=generator)
    gallery = torch.randn(1001, 384, generator=generator)
    gallery[[3, 500, 1000]] = vector + 0.1 * torch.randn(1, 384, generator=generator)
    data = Gathered(
        torch.cat([vector, gallery]), torch.tensor([0, *range(5000, 6001)]), torch.tensor([0] + [1] * 1001), torch.arange(1002) == 0
    )
    for place, rank in ((3, 1), (500, 2), (1000, 3)):
        data.identity[1:] = torch.arange(5000, 6001)
        data.identity[1 + place] = 0
        assert evaluate(data, "market").mean_ap == pytest.approx(1 / rank)


def case(seed, size=60, people=8, cameras=3, width=6):
    generator = torch.Generator().manual_seed(seed)
    return Gathered(
        torch.randn(size, width, generator=generator),
        torch.randint(people, (size,), generator=generator),
        torch.randint(cameras, (size,), generator=generator),
        torch.rand(size, generator=generator) < 0.3,
    )


def naive(data, protocol, asking, metric):
    """The definitions, one picture at a time."""
    vectors = data.vectors.double().numpy()
    rows = range(len(vectors))
    precisions, penalties, firsts = [], [], []
    for q in rows:
        if asking == "marked" and not data.is_query[q]:
            continue
        ranked = []
        for g in rows:
            same_person, same_camera = data.identity[q] == data.identity[g], data.camera[q] == data.camera[g]
            gone = {"market": same_person and same_camera, "cross": same_camera, "same-camera-allowed": False}[protocol]
            if g == q or gone or (asking == "marked" and data.is_query[g]):
                continue
            if metric == "cosine":
                score = vectors[q] @ vectors[g] / np.linalg.norm(vectors[q]) / np.linalg.norm(vectors[g])
            else:
                score = -np.linalg.norm(vectors[q] - vectors[g])
            ranked.append((-score, g, bool(same_person)))
        hits = [rank for rank, (_, _, hit) in enumerate(sorted(ranked), 1) if hit]
        if hits:
            precisions.append(np.mean([(n + 1) / rank for n, rank in enumerate(hits)]))
            penalties.append(len(hits) / hits[-1])
            firsts.append(hits[0])
    return np.mean(precisions), np.mean(penalties), {k: np.mean([first <= k for first in firsts]) for k in (1, 5, 10)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("asking", ["marked", "all"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_the_definitions_looped(protocol, asking, metric):
    data = case(3)
    found = evaluate(data, protocol, asking=asking, metric=metric)
    expected = naive(data, protocol, asking, metric)
    assert (found.mean_ap, found.mean_inp) == pytest.approx(expected[:2], abs=1e-9)
    assert found.cmc == pytest.approx(expected[2])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_order_of_the_pictures_changes_nothing(protocol):
    data = case(5)
    shuffled = Gathered(*(column[torch.randperm(60, generator=torch.Generator().manual_seed(1))] for column in data))
    one_, other = evaluate(data, protocol), evaluate(shuffled, protocol)
    assert one_.mean_ap == pytest.approx(other.mean_ap, abs=1e-12)
    assert one_.cmc == other.cmc


def test_chunks_change_nothing():
    data = case(6)
    assert evaluate(data, "market", chunk=1).named() == evaluate(data, "market", chunk=7).named() == evaluate(data, "market").named()


def test_a_picture_never_finds_itself():
    data = case(7)
    data.identity[:] = torch.arange(60) % 30  # one partner each
    ranking = evaluate(data, "same-camera-allowed", asking="all")
    assert ranking.mean_ap < 0.5


def test_gallery_shorter_than_k_uses_all_of_it():
    assert one([2.0, 1.0], [0, 1], [1, 1], ranks=(1, 50)).cmc == {1: 0.0, 50: 1.0}


def test_broken_vectors_and_words_are_refused():
    data = case(8)
    data.vectors[17] = torch.nan
    with pytest.raises(ValueError, match="1 of 60 vectors are not finite; the first is number 17"):
        evaluate(data, "market")
    with pytest.raises(ValueError, match="protocol 'duke' is not one of market, cross, same-camera-allowed"):
        evaluate(case(8), "duke")
    with pytest.raises(ValueError, match=r"scores of \(1, 2\) for 1 queries and 3 pictures"):
        measure(torch.zeros(1, 2), long(1), long(0), long(1, 2, 3), long(1, 1, 1), "market")


def test_similarity_is_one_for_equal_directions_and_minus_a_distance():
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(similarity(x, 3 * x).diagonal(), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(similarity(x, x + 1, "euclidean").diagonal(), -torch.full((3,), 5**0.5, dtype=torch.float64))
