"""Scores of a split by kind of impostor: the right pairs, whatever the order in which the images were seen; and the hard twins."""

from pathlib import Path

import numpy as np
import pytest

from apps.ahan.draw_pairs import worst_pairs
from apps.ahan.hard import hard_of, rows_of
from apps.ahan.scenarios import Scored, accuracy_at, folds, measured, scenarios, score, spread, thresholds
from apps.base.errors import UserError
from datamodules.ahan.pairs import draw_pairs

FAMILIES = 20


def split(shuffle: int | None = None) -> tuple[dict[str, Scored], tuple]:
    """People with vectors of their own, near to their twin's; two visits, two images each."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(2 * FAMILIES), 4)
    numbers = np.stack([person, person // 2, np.tile([0, 0, 1, 1], 2 * FAMILIES), 100 + np.arange(len(person))], 1)
    base = rng.standard_normal((FAMILIES, 16))[np.arange(2 * FAMILIES) // 2] + 0.3 * rng.standard_normal((2 * FAMILIES, 16))
    vectors = base[person] + 0.3 * rng.standard_normal((len(person), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.arange(len(person)) if shuffle is None else np.random.default_rng(shuffle).permutation(len(person))
    pairs = draw_pairs(*numbers.T[:3])
    return scenarios(*score(vectors[order], numbers[order, 3], numbers, pairs)), (vectors, numbers, pairs)


def test_scores_are_of_the_pairs_in_whatever_order_images_came() -> None:
    one, (vectors, numbers, pairs) = split()
    other, _ = split(shuffle=1)
    for name in ("general", "twin"):
        np.testing.assert_allclose(one[name].score, other[name].score)
        np.testing.assert_array_equal(one[name].first, other[name].first)
    first = one["twin"]
    np.testing.assert_allclose(first.score[0], vectors[first.first[0] - 100] @ vectors[first.second[0] - 100])
    assert set(one) == {"general", "twin"}
    assert (numbers[pairs.first, 2] != numbers[pairs.second, 2])[pairs.kind != "general"].all(), "genuine and twin pairs are of two visits"


def test_twins_are_harder_than_strangers_by_every_measure() -> None:
    each, _ = split()
    found = measured(each)
    assert found["twin_eer"] > found["general_eer"]
    assert found["twin_auc"] < found["general_auc"]
    assert found["twin_tar_far_0.1"] < found["general_tar_far_0.1"]
    assert "twin_tar_far_0.001" not in found, "that needs a thousand impostors"
    at = thresholds(each)
    twin = each["twin"]
    assert accuracy_at(twin.score, twin.same, np.ones(len(twin.same)), at["twin"]) >= found["twin_accuracy_folds"] - 0.05
    intervals = spread(each, at, draws=50)["twin"]
    assert all(each.low <= each.value <= each.high for each in intervals.values())
    assert set(intervals) == {"eer", "auc", "tar_far_0.01", "accuracy"}


def test_folds_are_the_lists_or_of_whole_families_or_none() -> None:
    twin = split()[0]["twin"]
    assert set(np.unique(folds(twin))) == set(range(10))
    given = twin._replace(fold=np.arange(len(twin.same)) % 2)
    np.testing.assert_array_equal(folds(given), given.fold)
    assert folds(twin.of(twin.family[:, 0] < 4)) is None


def test_a_split_without_impostors_has_no_scenario() -> None:
    pairs = split()[1][2].of("genuine")
    vectors, numbers, _ = split()[1]
    assert scenarios(*score(vectors, numbers[:, 3], numbers, pairs)) == {}


def test_the_worst_pairs_are_of_different_people_and_the_hardest_first() -> None:
    twin = split()[0]["twin"]
    places = worst_pairs(twin, same=False)
    assert not twin.same[places].any()
    assert twin.score[places[0]] == twin.score[~twin.same].max()
    assert len({tuple(twin.family[place]) for place in places}) == len(places) == 5
    assert twin.score[worst_pairs(twin, same=True)[0]] == twin.score[twin.same].min()


def test_hard_twins_are_a_quarter_of_the_twins_and_the_most_alike(tmp_path: Path) -> None:
    each, (_, numbers, pairs) = split()
    rows = rows_of(each)
    assert len(rows) == len(pairs.first)
    (tmp_path / "answers.csv").write_text(
        "first,second,kind,same,score\n" + "\n".join(f"{r['first']},{r['second']},{r['kind']},{r['same']},{r['score']}" for r in rows)
    )
    hard = hard_of(tmp_path / "answers.csv", pairs, numbers)
    chosen = set(numbers[hard.first[hard.kind == "twin"], 1])
    assert len(chosen) == FAMILIES // 4
    twin = each["twin"]
    mean = {family: twin.score[~twin.same & (twin.family[:, 0] == family)].mean() for family in range(FAMILIES)}
    assert chosen == set(sorted(mean, key=lambda family: -mean[family])[: FAMILIES // 4])


def test_a_list_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    _, (_, numbers, pairs) = split()
    with pytest.raises(UserError, match=r"no such file; it is answers\.csv"):
        hard_of(tmp_path / "none.csv", pairs, numbers)
    (tmp_path / "a.csv").write_text("first,second,score\n1,2,0.5\n")
    with pytest.raises(UserError, match="160 of 160 twin pairs"):
        hard_of(tmp_path / "a.csv", pairs, numbers)
    (tmp_path / "a.csv").write_text("first,score\n1,x\n")
    with pytest.raises(UserError, match="no table of first, second, score"):
        hard_of(tmp_path / "a.csv", pairs, numbers)
