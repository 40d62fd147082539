"""Lines of a text against a regular grammar: strict, every line is the next one of the grammar; lenient, other lines are left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from datamodules.accord.errors import ParseError
from datamodules.accord.instances import BinPacking, Instance, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["COORDINATE", "INTEGER", "NUMBER", "Found", "Read", "Rule", "Stated", "coordinate", "scan", "units"]

INTEGER = r"-?\d{1,18}"
NUMBER = r"-?\d{1,18}(?:\.\d{1,9})?"
COORDINATE = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"

Stated = int | Decimal  # a number in integers of the instance; a Decimal as it stands, where the instance's scale does not hold it


@dataclass(frozen=True)
class Read:
    """A plan as the text has it, which the checker judges; the objective that the text declares; and what in it is not so."""

    plan: Plan
    declared: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A line of the grammar. example: what it looks like, for the message; loose: how it may look when lenient."""

    name: str
    pattern: str
    example: str
    times: Literal["one", "maybe", "many"] = "one"
    loose: str | None = None


@dataclass
class Found:
    """The lines that match, by the name of their rule: (number of the line, match)."""

    what: str
    lenient: bool
    lines: dict[str, list[tuple[int, re.Match[str]]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[tuple[int, re.Match[str]]]:
        return self.lines.get(name, [])

    def last(self, name: str) -> tuple[int, re.Match[str]] | None:
        found = self.all(name)
        return found[-1] if found else None

    def expect(self, line: int, says: str, stated: object, true: object) -> None:
        """A statement of the text that is not so becomes a note; it changes nothing. line: 0 where the whole text is one."""
        if stated != true:
            self.notes.append(f"{f'line {line}: ' if line else ''}{says} is said to be {_shown(stated)}; it is {_shown(true)}")

    def total(self, name: str, instance: Instance) -> int | None:
        """The objective that the last such line declares, in integers of the instance."""
        last = self.last(name)
        if last is None:
            return None
        scale = instance.value_scale if isinstance(instance, Knapsack) else 1 if isinstance(instance, BinPacking) else instance.scale
        value = units(last[1][1], scale)
        if isinstance(value, int):
            return value
        self.notes.append(f"line {last[0]}: {last[1][1]} is declared, which no plan can cost: numbers are multiples of 1/{scale}")
        return None


def scan(text: str, rules: Sequence[Rule], what: str, lenient: bool) -> Found:
    """what: the name of the text, for messages. Empty lines are left out always."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    found = Found(what, lenient)
    if lenient:
        _lenient(lines, rules, found)
    else:
        _strict(lines, rules, found)
    return found


def _strict(lines: list[tuple[int, str]], rules: Sequence[Rule], found: Found) -> None:
    counts = [0] * len(rules)
    at = 0
    for number, line in lines:
        while True:
            if at == len(rules):
                raise ParseError(f"{found.what}, line {number}: {_short(line)} comes after the end")
            rule = rules[at]
            may = rule.times == "many" or counts[at] == 0
            if may and (match := re.fullmatch(rule.pattern, line.rstrip())):
                found.lines.setdefault(rule.name, []).append((number, match))
                counts[at] += 1
                break
            if rule.times == "one" and counts[at] == 0:
                raise ParseError(f"{found.what}, line {number}: {_short(line)} where a line like {_expected(rules[: at + 1])} is expected")
            at += 1
    for rule, count in zip(rules, counts, strict=True):
        if rule.times == "one" and count == 0:
            raise ParseError(f"{found.what}: the text ends where a line like {rule.example!r} is expected")


def _expected(rules: Sequence[Rule]) -> str:
    """The last rule, and those before it that may come as often as one likes."""
    names = [repr(rules[-1].example)]
    for rule in reversed(rules[:-1]):
        if rule.times == "one":
            break
        names.append(repr(rule.example))
    return " or ".join(reversed(names))


def _lenient(lines: list[tuple[int, str]], rules: Sequence[Rule], found: Found) -> None:
    headers = [index for index, (_, line) in enumerate(lines) if line.strip() == "### Response:"]
    skipped = []
    for number, line in lines[headers[-1] + 1 if headers else 0 :]:
        for rule in rules:
            match = re.fullmatch(rule.pattern, line.strip()) or (re.fullmatch(rule.loose, line.strip()) if rule.loose else None)
            if match:
                found.lines.setdefault(rule.name, []).append((number, match))
                break
        else:
            skipped.append(number)
    if skipped:
        found.notes.append(f"lines left out: {', '.join(map(str, skipped))}")
    if not found.lines:
        raise ParseError(f"{found.what}: no line of it is there; {rules[0].example!r} would be one")


def units(text: str, scale: int) -> Stated:
    value = Decimal(text) * scale
    return int(value) if value == int(value) else Decimal(text)


def coordinate(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _shown(value: object) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def _short(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:57]}...")
