"""What a cross-validation found: means over folds, repeats and seeds with their spread. Numbers in, numbers out."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.base.crossval.plan import Cut
from apps.base.interval import interval

__all__ = ["Score", "best_epoch", "paired", "score"]


@dataclass(frozen=True)
class Score:
    """Of one metric. Seeds of one fold share what is tested, and repeats all of it: the interval is over the folds of a repeat, the
    mean of it over the repeats, so that training more often never narrows it for nothing."""

    mean: float
    half_interval: float  # of the mean: 95 %, Student's t over the folds' means over the seeds
    std_folds: float  # population deviation over the folds, the mean of it over the seeds
    std_seeds: float  # population deviation of the seeds' means
    per_fold: dict[str, float]
    per_seed: dict[str, float]


def score(values: Mapping[Cut, float]) -> Score:
    """Every cut counts alike.

    >>> score({Cut(None, 0, 0): 0.5, Cut(None, 1, 0): 0.7}).mean
    0.6
    """
    known = {cut: value for cut, value in values.items() if not math.isnan(value)}
    if not known:
        return Score(math.nan, math.nan, math.nan, math.nan, {}, {})
    folds = _grouped(known, lambda cut: f"{'' if cut.repeat is None else f'{cut.repeat}/'}{cut.fold}")
    seeds = _grouped(known, lambda cut: str(cut.seed))
    means = {name: statistics.fmean(group) for name, group in folds.items()}
    by_seed = {name: statistics.fmean(group) for name, group in seeds.items()}
    return Score(
        statistics.fmean(known.values()),
        statistics.fmean(interval([means[name] for name in names]) for names in _by_repeat(means)),
        statistics.fmean(statistics.pstdev(group) for group in seeds.values()),
        statistics.pstdev(by_seed.values()),
        means,
        by_seed,
    )


def paired(ours: Mapping[Cut, float], theirs: Mapping[Cut, float]) -> tuple[Score, int]:
    """Ours less theirs on the cuts that both have, and how many those are."""
    both = sorted(ours.keys() & theirs.keys())
    return score({cut: ours[cut] - theirs[cut] for cut in both}), len(both)


def best_epoch(curves: Sequence[Sequence[float]], highest: bool) -> int:
    """The epoch at which the mean of the curves is best, the first of equals; the shortest curve says how many there are."""
    means = [statistics.fmean(points) for points in zip(*curves, strict=False)]
    return means.index(max(means) if highest else min(means))


def _by_repeat(names: Iterable[str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition("/")[0], []).append(name)
    return list(found.values())


def _grouped(values: Mapping[Cut, float], key: Callable[[Cut], str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for cut in sorted(values):
        found.setdefault(key(cut), []).append(values[cut])
    return found
