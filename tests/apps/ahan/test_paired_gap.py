"""The interval of a gap draws families once for both rows."""

import numpy as np

from apps.ahan.metrics import auc
from apps.ahan.paired_gap import gap_interval


def answers(noise: float, seed: int, families: int = 12) -> dict[str, np.ndarray]:
    """Ten genuine and ten twin pairs a family; what is hard about a pair is the same for all rows."""
    hard, own = np.random.default_rng(0), np.random.default_rng(seed)
    family = np.repeat(np.arange(families), 20)
    same = np.tile(np.arange(20) < 10, families)
    score = same + hard.normal(0, 0.6, len(same)) + own.normal(0, noise, len(same))
    number = np.arange(len(same))
    families_N2 = np.stack([family, family], 1)
    return {"first": number, "second": number + 1, "same": same, "score": score, "family": families_N2, "fold": 0 * number - 1}


def test_a_row_against_itself_has_no_gap_and_a_worse_one_has_one() -> None:
    good, bad = [answers(0.1, seed) for seed in (1, 2)], [answers(2.0, seed) for seed in (3, 4)]
    assert gap_interval(good, good, 50) == (0.0, 0.0)
    interval = gap_interval(good, bad, 200)
    assert interval is not None
    low, high = interval
    gap = np.mean([auc(a["score"], a["same"]) - auc(b["score"], b["same"]) for a, b in zip(good, bad, strict=True)])
    assert 0 < low < gap < high
    assert gap_interval(bad, good, 200) == (-high, -low)


def test_rows_that_were_not_asked_the_same_have_none() -> None:
    other = answers(0.1, 2) | {"first": answers(0.1, 2)["first"][::-1]}
    assert gap_interval([answers(0.1, 1)], [other], 20) is None
