"""The scores of every set under a protocol: what `test` prints, each accuracy with its interval."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from apps.otsnet.metrics.accuracy import Accuracy, accuracy
from apps.otsnet.metrics.distance import cer, one_minus_ned
from apps.otsnet.metrics.seen import Seen, seen_unseen
from datamodules.otsnet.charset import charset
from datamodules.otsnet.normalise import Protocol, for_comparison

__all__ = ["SetScore", "scores"]


class SetScore(NamedTuple):
    by_charset: Mapping[str, Accuracy]  # 36 whatever the case, 62 by case, 94 by case and punctuation
    one_minus_ned: float  # of the first charset
    cer: float
    seen: Seen


def scores(
    answers: Sequence[str],
    truths: Sequence[str],
    sets: Sequence[str],
    training: Collection[str] = (),
    charsets: Sequence[str] = ("36",),
    protocol: Protocol = "parseq",
) -> dict[str, SetScore]:
    """By set. Texts are given as read and as the source writes them; all are made comparable here, answer and truth alike.

    training: labels that were trained on. charsets: by which accuracy is told; the protocol openocr has its own, of 36.
    """
    if protocol == "openocr" and tuple(charsets) != ("36",):
        raise ValueError("the protocol openocr compares 36 characters and no others; leave the charsets out")
    known = {for_comparison(label, charset(charsets[0]), protocol) for label in training}
    result = {}
    for name in dict.fromkeys(sets):
        rows = [row for row, its in enumerate(sets) if its == name]
        pairs = {}
        for each in charsets:
            read, true = ([for_comparison(texts[row], charset(each), protocol) for row in rows] for texts in (answers, truths))
            pairs[each] = (read, true)
        read, true = pairs[charsets[0]]
        by_charset = {each: accuracy(*pair) for each, pair in pairs.items()}
        result[name] = SetScore(by_charset, one_minus_ned(read, true), cer(read, true), seen_unseen(read, true, known))
    return result
