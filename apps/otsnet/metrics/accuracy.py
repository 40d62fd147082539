"""Words read exactly, in percent, with Wilson's 95 % interval; two ways to average over sets."""

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Accuracy", "accuracy", "mean_of_sets", "pooled", "wilson"]

Z95 = 1.959963984540054


class Accuracy(NamedTuple):
    right: int
    count: int

    @property
    def percent(self) -> float:
        """NaN of no words."""
        return 100 * self.right / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.right, self.count)


def accuracy(answers: Sequence[str], truths: Sequence[str]) -> Accuracy:
    """Of texts that a protocol has made comparable (datamodules.otsnet.normalise.for_comparison).

    >>> accuracy(["cat", "dog"], ["cat", "dig"]).percent
    50.0
    """
    return Accuracy(sum(answer == truth for answer, truth in zip(answers, truths, strict=True)), len(truths))


def wilson(right: int, count: int, z: float = Z95) -> tuple[float, float]:
    """Lower and upper end in percent; (0, 100) of no words."""
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count} cannot be right")
    if not count:
        return 0.0, 100.0
    share, squared = right / count, z * z
    middle = (share + squared / (2 * count)) / (1 + squared / count)
    half = z / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count * count))
    low, high = 0.0 if right == 0 else middle - half, 1.0 if right == count else middle + half  # exact where rounding would not be
    return 100 * low, 100 * high


def mean_of_sets(sets: Sequence[Accuracy]) -> float:
    """Every set counts alike, as OpenOCR's tables have it; sets without words do not count."""
    filled = [one.percent for one in sets if one.count]
    return sum(filled) / len(filled) if filled else math.nan


def pooled(sets: Sequence[Accuracy]) -> Accuracy:
    """Every word counts alike, as in PARSeq's row "Combined"."""
    return Accuracy(sum(one.right for one in sets), sum(one.count for one in sets))
