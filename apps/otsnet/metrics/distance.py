"""How far answers are from the truth, by characters."""

import math
from collections.abc import Sequence

__all__ = ["cer", "edit_distance", "one_minus_ned"]


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's, every insertion, deletion and replacement at one.

    >>> edit_distance("kitten", "sitting")
    3
    """
    if len(one) < len(other):
        one, other = other, one
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def one_minus_ned(answers: Sequence[str], truths: Sequence[str]) -> float:
    """100 (1 - mean of the distance over the longer length), of ICDAR 2019; two empty texts are at distance 0. NaN of no words."""
    pairs = list(zip(answers, truths, strict=True))
    far = sum(edit_distance(answer, truth) / max(len(answer), len(truth), 1) for answer, truth in pairs)
    return 100 * (1 - far / len(pairs)) if pairs else math.nan


def cer(answers: Sequence[str], truths: Sequence[str]) -> float:
    """Character error rate: all distances over all characters of the truths, in percent; it can exceed 100. NaN of no characters."""
    far = sum(edit_distance(answer, truth) for answer, truth in zip(answers, truths, strict=True))
    characters = sum(map(len, truths))
    return 100 * far / characters if characters else math.nan
