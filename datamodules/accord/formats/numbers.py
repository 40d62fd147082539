"""Numbers of a text with the line that each stands in, so that what is wrong with one can be said with its place."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, PrecisionError

__all__ = ["Number", "Numbers", "fits", "is_plain", "number", "plain", "real", "scaled", "whole"]

Number = int | Decimal
DECIMALS = 9
DIGITS = 18  # 10^18 is below 2^62
MOST = 1 << 62
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def number(text: str, where: str, what: str = "number", least: int | None = 0) -> Number:
    """A finite number, an int where it is written as one.

    least: None allows negative ones
    """
    if _WHOLE.fullmatch(text):
        value: Number = int(text)
    else:
        try:
            value = Decimal(text) if len(text) < 100 and text.isascii() and "_" not in text else Decimal("x")
        except InvalidOperation:
            raise ParseError(f"{where}: {_short(text)} where a number is expected ({what})") from None
        if not value.is_finite():
            raise InvalidInstanceError(f"{where}: {what} {text}; give a finite number")
        if value and abs(value.adjusted()) > DIGITS:
            raise PrecisionError(f"{where}: {what} {text} does not fit into 62 bits with nine decimals; scale it")
    if least is not None and value < least:
        raise InvalidInstanceError(f"{where}: {what} {text}; it must be {'positive' if least == 1 else f'at least {least}'}")
    return value


def whole(text: str, where: str, what: str = "number", least: int | None = 0) -> int:
    """As `number`, but without decimals (1.0 is whole)."""
    value = number(text, where, what, least)
    if value != int(value):
        raise InvalidInstanceError(f"{where}: {what} {text}; it must be a whole number")
    return int(value)


def real(text: str, where: str, what: str = "coordinate") -> float:
    """A coordinate: any finite number, also negative, also with an exponent."""
    return float(number(text, where, what, None))


def is_plain(text: str) -> bool:
    """A whole number as nearly all are: matrices have millions of them."""
    return text.isdecimal() and text.isascii() and len(text) <= DIGITS


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else f"{text[:27]}...")


def decimals(values: Sequence[Number]) -> int:
    """As many as are written; those beyond the ninth only where they are not 0."""
    most = 0
    for value in values:
        if isinstance(value, Decimal):
            written = -int(value.as_tuple().exponent)
            most = max(most, written if written <= DECIMALS else -int(value.normalize().as_tuple().exponent))
    return most


def scaled(values: Sequence[Number], where: str, what: str = "numbers", scale: int | None = None) -> tuple[list[int], int]:
    """Whole numbers and the power of ten that made them whole.

    scale: given, it must make them whole
    """
    if scale in (None, 1) and all(type(value) is int for value in values) and max(map(abs, values), default=0) < MOST:
        return [int(value) for value in values], 1
    if scale is None and (digits := decimals(values)) > DECIMALS:
        raise PrecisionError(f"{where}: {what} with {digits} decimals; round them to {DECIMALS}")
    power = 10 ** decimals(values) if scale is None else scale
    out = [int(value * power) for value in values]
    for value, result in zip(values, out, strict=True):
        if value * power != result:
            raise PrecisionError(f"{where}: {what}, such as {value}, are not whole after multiplying by the scale {power}")
        if abs(result) >= MOST:
            raise PrecisionError(f"{where}: {what}, such as {value:g}, do not fit into 62 bits when multiplied by {power}; scale them down")
    return out, power


def plain(value: int, scale: int) -> str:
    """The inverse of `scaled`: all decimals of the scale are written, so that it is read again."""
    return str(value) if scale == 1 else f"{Decimal(value) / scale:.{len(str(scale)) - 1}f}"


class Numbers:
    """The words of some lines, taken one after the other wherever the lines break.

    lines: (number of the line, text)
    """

    def __init__(self, where: str, lines: Sequence[tuple[int, str]]):
        self.where = where
        self._words = [(word, number) for number, line in lines for word in line.split()]
        self._at = 0
        self._end = lines[-1][0] if lines else 1

    @property
    def left(self) -> int:
        return len(self._words) - self._at

    @property
    def line(self) -> int:
        """Of the next word."""
        return self._words[self._at][1] if self.left else self._end

    @property
    def place(self) -> str:
        return f"{self.where}, line {self.line}"

    def word(self, what: str) -> tuple[str, str]:
        """The next word and its place."""
        if not self.left:
            raise ParseError(f"{self.where}, line {self._end}: the text ends where a {what} is expected; it is cut short")
        word, line = self._words[self._at]
        self._at += 1
        return word, f"{self.where}, line {line}"

    def whole(self, what: str, least: int = 0) -> int:
        word, place = self.word(what)
        return whole(word, place, what, least)

    def number(self, what: str) -> Number:
        word, place = self.word(what)
        return number(word, place, what)

    def take(self, count: int, what: str) -> tuple[list[Number], list[int]]:
        """So many numbers, and the lines that they stand in."""
        if self.left < count:
            raise ParseError(f"{self.where}, line {self._end}: expected {count:,} {what}, found {self.left:,}; the text is cut short")
        taken = self._words[self._at : self._at + count]
        self._at += count
        values = [int(word) if is_plain(word) else number(word, f"{self.where}, line {line}", what) for word, line in taken]
        return values, [line for _, line in taken]

    def nothing_left(self, what: str) -> None:
        if self.left:
            raise ParseError(f"{self.place}: {self.left:,} words more than {what}, from {_short(self._words[self._at][0])} on")


def fits(where: str, sizes: Sequence[int], lines: Sequence[int], capacity: int, thing: str, holder: str, first: int = 0) -> None:
    """No size is above the capacity.

    first: the number of the first thing in what is said
    """
    for index, (size, line) in enumerate(zip(sizes, lines, strict=True)):
        if size > capacity:
            raise InfeasibleError(f"{where}, line {line}: {thing} {index + first} has {size}, {holder} holds {capacity}: no plan can exist")
