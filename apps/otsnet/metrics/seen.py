"""Accuracy on test words that training showed, and on those that it did not."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from apps.otsnet.metrics.accuracy import Accuracy, accuracy

__all__ = ["Seen", "seen_unseen"]


class Seen(NamedTuple):
    seen: Accuracy
    unseen: Accuracy


def seen_unseen(answers: Sequence[str], truths: Sequence[str], training: Collection[str]) -> Seen:
    """training: the labels, made comparable by the same protocol; whatever their case, a word was seen."""
    known = {label.casefold() for label in training}
    parts = ([], [])
    for answer, truth in zip(answers, truths, strict=True):
        parts[truth.casefold() not in known].append((answer, truth))
    seen, unseen = (accuracy([answer for answer, _ in part], [truth for _, truth in part]) for part in parts)
    return Seen(seen, unseen)
