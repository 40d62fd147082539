"""Numbers of a text with their places, and the text with every number as a mark (#0#, #1#, ...), which patterns match simply.

What can be read in two ways (1,5 kg; 5,100,200; 2 thousand; 30 %) is no number: it is told as left over, never guessed.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

__all__ = ["NUMBER", "Number", "Scan", "scan"]

NUMBER = r"#(\d+)#(?!\s?[-–]\s?#)"  # a mark in a pattern; the first half of a range (3-5 minutes) is no number

WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
LARGE = r"hundreds?|thousands?|millions?|billions?|dozens?|thirty|forty|fifty|sixty|seventy|eighty|ninety"
UNITS = {
    "mass": r"kg|kgs|kilos?|kilograms?|grams?|g|tons?|tonnes?|t|lbs?|pounds?|oz|ounces?|mg",
    "length": r"km|kms|kilomet(?:er|re)s?|met(?:er|re)s?|m|miles?|mi|cm|mm|centimet(?:er|re)s?|millimet(?:er|re)s?|ft|feet|inch(?:es)?",
    "volume": r"l|lit(?:er|re)s?|ml|m³|gallons?|cbm",
    "time": r"minutes?|mins?|min|hours?|hrs?|hr|h|seconds?|secs?|sec|s|days?|ms",
    "money": r"€|\$|£|euros?|dollars?|eur|usd|bucks",
    "memory": r"[kmgt]i?b",
    "": r"units?",
}
_SAME = {
    "kgs": "kg",
    "kilo": "kg",
    "kilogram": "kg",
    "gram": "g",
    "ton": "t",
    "tonne": "t",
    "lb": "pound",
    "kms": "km",
    "kilometre": "km",
    "kilometer": "km",
    "metre": "m",
    "meter": "m",
    "mi": "mile",
    "minute": "min",
    "hour": "h",
    "hr": "h",
    "second": "s",
    "sec": "s",
    "liter": "l",
    "litre": "l",
    "euro": "€",
    "eur": "€",
    "dollar": "$",
    "usd": "$",
    "buck": "$",
    "ounce": "oz",
    "centimetre": "cm",
    "centimeter": "cm",
    "millimetre": "mm",
    "millimeter": "mm",
    "feet": "ft",
    "gallon": "gallon",
    "day": "day",
}
_UNIT = "|".join(UNITS.values())
_NUMBER = re.compile(
    rf"""(?P<date>\b\d+/\d+\b|\b0-1(?=\s+knapsack)|\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}:\d\d(?:\s?[-–]\s?|\s+(?:and|to)\s+)\d{{1,2}}:\d\d\b|\b\d{{1,2}}(?::\d\d)?\s?(?:am|pm|o'clock)\b|\b0\d:\d\d\b)
    |(?P<big>\b(?:(?:an?|[\d.,]+|{"|".join(WORDS)})[\s-]+)?(?:{LARGE})\b(?:[\s-]+(?:and[\s-]+)?(?:{"|".join(WORDS[1:10])})\b)?|\btwenty[\s-](?:{"|".join(WORDS[1:10])})\b)
    |(?P<word>\b(?<!one\ by\ )(?!one\s(?:by|after)\s)(?:{"|".join(WORDS)})\b(?!-(?!(?:{_UNIT})\b)[a-z]))
    |(?P<money>[$€£]\s?)?(?P<sign>[-−])?(?<![\w.])(?P<digits>\d+(?:,\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+)
     (?P<tail>\s?%|k\b|(?:[\s-]?(?:{_UNIT})(?![\w³]))|(?=[x×]\s*\d)|(?:st|nd|rd|th)\b|[-\s]?[Dd]\b|(?=[^\W\d_]))?""",
    re.X | re.I,
)


@dataclass(frozen=True)
class Number:
    start: int
    end: int
    value: Decimal
    unit: str = ""  # as kg, min; one spelling a unit

    @property
    def dimension(self) -> str:
        return _dimension(self.unit)


@cache
def _dimension(unit: str) -> str:
    return next((name for name, pattern in UNITS.items() if re.fullmatch(pattern, unit, re.I)), "")


@dataclass(frozen=True)
class Scan:
    numbers: list[Number]
    marked: str  # the text with every number as #k#
    unread: list[tuple[int, int]]  # places of what looks like a number and cannot be read as one


def scan(text: str) -> Scan:
    """
    >>> scan("three boxes of 1.5 kg").marked
    '#0# boxes of #1#'
    """
    numbers: list[Number] = []
    unread: list[tuple[int, int]] = []
    out: list[str] = []
    depths = _depths(text)
    last = 0
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if start < last:
            continue
        found, ok = _read(text, match, depths)
        if not ok:
            unread.append((start, end))
            put = " ~ "
        elif not found:
            continue  # a label such as 2nd: plain text
        else:
            put = text[start : found[0].start] if match["sign"] and found[0].value >= 0 else ""
            put += ",".join(f"#{len(numbers) + k}#" for k in range(len(found)))
            numbers += found
        out += [text[last:start].replace("#", " "), put]
        last = end
    out.append(text[last:].replace("#", " "))
    return Scan(numbers, "".join(out), unread)


def _read(text: str, match: re.Match[str], depths: list[bool]) -> tuple[list[Number], bool]:
    """The numbers of a match (a run 5,3,4 is several), and whether it can be read; none and True: no number at all."""
    start, end = match.span()
    if match["date"] or match["big"]:
        return [], False
    if match["word"]:
        return [Number(start, end, Decimal(WORDS.index(match["word"].lower())))], True
    digits, tail = match["digits"], (match["tail"] or "").strip(" -").lower()
    if re.fullmatch(r"st|nd|rd|th|d", tail) or (match["tail"] == "" and not re.match(r"[x×]\s*\d", text[end:])):
        return [], True
    if tail in ("%", "k"):
        return [], False
    unit = _spelled(tail or (match["money"] or "").strip())
    place, stop = match.start("digits"), match.end("digits")
    negative = bool(match["sign"]) and _is_sign(text, match.start("sign"))
    parts = digits.split(",")
    if len(parts) > 1:
        bracketed = depths[place]
        if _grouped(parts) and (parts[1:] == ["000"] * (len(parts) - 1) or (len(parts) == 2 and not bracketed)):
            parts = ["".join(parts)]
        elif _grouped(parts) and not bracketed:
            return [], False  # 5,100,200: one number or three
        elif len(parts) == 2 and unit and not bracketed:
            return [], False  # 1,5 kg: a decimal comma, or two numbers
    found, at = [], place
    for part in parts:
        width = len(part) if len(parts) > 1 else stop - place
        found.append(Number(at, at + width, Decimal(part), unit))
        at += width + 1
    if negative:
        found[0] = Number(match.start("sign"), found[0].end, -found[0].value, unit)
    return found, True


def _grouped(parts: list[str]) -> bool:
    return 1 <= len(parts[0]) <= 3 and parts[0][0] != "0" and all(len(part.split(".")[0]) == 3 for part in parts[1:])


def _is_sign(text: str, at: int) -> bool:
    """A minus, not the hyphen of 3-5 or A-10."""
    before = text[:at].rstrip()[-1:] if at else ""
    return not before or before in "([{,;:=|>" or (text[at - 1].isspace() and not before.isdigit())


def _spelled(unit: str) -> str:
    single = unit[:-1] if len(unit) > 2 and unit.endswith("s") and unit != "days" else {"days": "day"}.get(unit, unit)
    return "" if single == "unit" else _SAME.get(unit, _SAME.get(single, single))


def _depths(text: str) -> list[bool]:
    """Whether each place lies in brackets without words: there a comma always separates."""
    change = [0] * (len(text) + 1)
    opened: list[list[int]] = []  # (place, whether a letter was seen)
    for match in re.finditer(r"[\[({]|[\])}]|[^\W\d_]+", text):
        if match[0] in "[({":
            opened.append([match.start(), 0])
        elif match[0] in "])}":
            if opened:
                start, letters = opened.pop()
                if not letters:
                    change[start] += 1
                    change[match.start()] -= 1
        elif opened:
            opened[-1][1] = 1
    inside, depth = [], 0
    for step in change:
        depth += step
        inside.append(depth > 0)
    return inside
