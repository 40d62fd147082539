"""Is every one of them there exactly once? A multiset is counted, not a set: a repeated visit does not hide."""

from collections import Counter
from collections.abc import Callable, Iterable

from datamodules.accord.checker.report import Violation

__all__ = ["exactly_once", "no_more_than_once"]


def no_more_than_once(ids: Iterable[int], what: str, name: Callable[[int], str] = str) -> list[Violation]:
    counts = Counter(ids)
    return [
        Violation("repeated", (number,), count - 1, f"{what} {name(number)} is there {count} times")
        for number, count in sorted(counts.items())
        if count > 1
    ]


def exactly_once(ids: list[int], wanted: range, what: str, name: Callable[[int], str] = str) -> list[Violation]:
    there = set(ids)
    missing = [Violation("missing", (number,), None, f"{what} {name(number)} is missing") for number in wanted if number not in there]
    return missing + no_more_than_once(ids, what, name)
