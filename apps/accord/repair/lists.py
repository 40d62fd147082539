"""What every repair begins with: the ids that exist, once each, and what was left out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "items_of", "once", "whole"]


@dataclass(frozen=True)
class Change:
    """What was done to one thing: `what` in a word, `where` its ids, `says` for people."""

    what: str  # removed, added, moved, delayed, replanned
    where: tuple[int, ...]
    says: str


def whole(value: Any) -> int | None:
    """A whole number as Python's int; None for everything else: True, 3.5 and '3' are no ids."""
    if isinstance(value, bool):
        return None
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        return None
    return number


def items_of(value: Any) -> list[Any]:
    """The entries of a list, tuple or array; of anything else none."""
    if isinstance(value, list | tuple):
        return list(value)
    return list(value.tolist()) if hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0 else []


def once(entries: Iterable[Any], known: range, noun: str, seen: set[int], changes: list[Change], name: Callable[[int], str]) -> list[int]:
    """Those of `known` that were not `seen`, in order; every other is a change. `seen` grows."""
    kept = []
    for entry in entries:
        number = whole(entry)
        if number is None or number not in known:
            changes.append(Change("removed", (), f"{str(entry)[:40]!r} is no {noun}: left out"))
        elif number in seen:
            changes.append(Change("removed", (number,), f"{noun} {name(number)} stood there more than once: the later one is left out"))
        else:
            seen.add(number)
            kept.append(number)
    return kept
