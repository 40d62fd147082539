"""Constraints and problems that are not modelled, known by their words (limits.txt): refused by name, with what to use instead.

A text that says it has none of them ("no time windows or due dates") is not refused.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from datamodules.accord.instances import KINDS

__all__ = ["beyond"]

TABLE = Path(__file__).with_name("limits.txt")
CLOCK = r"\d{1,2}(?::\d\d)?\s?(?:am|pm|o'clock|h)?"
PROSE = 50_000  # characters at either end in which constraints are sought, without long rows of numbers
_NUMBERS = re.compile(r"[-\d.,;:()\[\]\s]{60,}")
_DENIES = re.compile(r"\b(?:no|not|without|neither|nor|none|ignor\w+|never|free of|zero)\b|n't", re.I)
_BETWEEN = re.compile(r"(?:\W*(?:and|or|nor|any|other|further|extra|kind|of|there|are|is|have|has|do|we|[\w-]+)\W*){0,6}\W*")


class _Limit(NamedTuple):
    line: str
    kinds: frozenset[str]
    pattern: re.Pattern[str]


@cache
def _limits() -> list[_Limit]:
    limits: list[_Limit] = []
    for block in TABLE.read_text("utf-8").split("\n\n")[1:]:
        head, *patterns = block.strip("\n").split("\n")
        what, kinds, instead = (part.strip() for part in head.split(" ; "))
        pattern = re.compile("|".join(line.strip().replace("{clock}", CLOCK) for line in patterns), re.I)
        limits.append(_Limit(f"not modelled: {what}; use {instead}", frozenset(KINDS if kinds == "all" else kinds.split()), pattern))
    return limits


def beyond(text: str, kind: str | None) -> list[str]:
    """One line for each constraint of the text that is not modelled; kind None: of whatever kind.

    >>> beyond("Deliver within the time windows.", "cvrp")
    ['not modelled: time windows; use PyVRP']
    """
    text = _NUMBERS.sub(" ", text)
    text = text if len(text) <= 2 * PROSE else f"{text[:PROSE]}\n{text[-PROSE:]}"
    found: list[str] = []
    for line, kinds, pattern in _limits():
        if (kind is None or kind in kinds) and line not in found and any(not _denied(text, match) for match in pattern.finditer(text)):
            found.append(line)
    return found


def _denied(text: str, match: re.Match[str]) -> bool:
    """A denial stands shortly before, in the same sentence."""
    if _DENIES.search(match[0]):  # the words of the constraint deny by themselves: no-wait
        return False
    before = re.split(r"[.;!?\n]", text[max(0, match.start() - 60) : match.start()])[-1]
    denials = list(_DENIES.finditer(before))
    return bool(denials) and bool(_BETWEEN.fullmatch(before[denials[-1].end() :]))
