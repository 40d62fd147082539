"""A text while it is read: its numbers, the tables and JSON in it, and the record of which number was taken for what."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from apps.accord.front.numbers import Number, scan
from apps.accord.front.report import Span
from datamodules.accord.errors import PrecisionError

__all__ = ["Draft", "scaled"]

DIGITS = 9  # decimals that the integers of an instance can carry
DIMENSIONS = ("mass", "volume", "length", "time", "memory")


class Draft:
    """`free` is the text outside tables and JSON, `marked` the same with every number as #k#."""

    def __init__(self, text: str, blocks: Iterable[tuple[int, int]] = ()) -> None:
        self.text = text
        for start, end in blocks:  # blanked, not cut out: places stay
            text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
        self.free = text
        found = scan(text)
        self.numbers, self.marked, self._unread = found.numbers, found.marked, found.unread
        self._at = {number.start: number for number in found.numbers}
        self.taken: dict[tuple[int, int], tuple[Number, str]] = {}
        self.missing: list[str] = []

    def take(self, number: Number | int | str, meaning: str) -> Number:
        """A number is used, for this; the first meaning stays."""
        if not isinstance(number, Number):
            number = self.numbers[int(number)]
        self.taken.setdefault((number.start, number.end), (number, meaning))
        return number

    def free_of(self, marks: Iterable[str]) -> bool:
        """Whether none of these marks was taken."""
        return not any((self.numbers[int(k)].start, self.numbers[int(k)].end) in self.taken for k in marks)

    def in_words(self, mark: int | str) -> bool:
        """Whether the number is written as a word, which may be a pronoun: one of them."""
        number = self.numbers[int(mark)]
        return self.text[number.start : number.end].isalpha()

    def lack(self, what: str) -> None:
        if what not in self.missing:
            self.missing.append(what)

    def mixed_units(self) -> None:
        """Units are not converted: kg beside t is asked about, not guessed."""
        for dimension in DIMENSIONS:
            units = {number.unit for number, _ in self.taken.values() if number.dimension == dimension}
            if len(units) > 1:
                self.lack(f"one unit of {dimension}: {' and '.join(sorted(units))} are mixed, and are not converted")

    def spans(self) -> list[Span]:
        return [Span(start, end, meaning, f"{number.value:f}") for (start, end), (number, meaning) in sorted(self.taken.items())]

    def number_at(self, start: int) -> Number | None:
        """None where what stands there cannot be read as a number."""
        return self._at.get(start)

    def unused(self) -> list[tuple[int, int]]:
        """Places of what looks like a number and was not used, in the text's order; `one` may be a pronoun."""
        left = [(n.start, n.end) for n in self.numbers if (n.start, n.end) not in self.taken]
        return sorted([(a, b) for a, b in left if self.text[a:b].lower() != "one"] + self._unread)

    def ignored(self) -> list[str]:
        """What was not used, then units."""
        units = sorted({number.unit for number, _ in self.taken.values() if number.unit})
        return [f"{' '.join(self.text[a:b].split())} (at {a})" for a, b in self.unused()] + [f"the unit {unit}" for unit in units]


def scaled(numbers: Sequence[Number]) -> tuple[list[int], int]:
    """Whole numbers, and the power of ten that made them so."""
    decimals = max((max(0, -int(number.value.normalize().as_tuple().exponent)) for number in numbers), default=0)
    if decimals > DIGITS:
        raise PrecisionError(f"{decimals} decimals; at most {DIGITS} can be kept exactly: round the numbers")
    scale = 10**decimals
    return [int(number.value * Decimal(scale)) for number in numbers], scale
