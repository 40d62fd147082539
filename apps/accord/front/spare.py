"""Numbers of a text that nothing was read from: names, dates and counts are harmless, any other may be a rule."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from apps.accord.front.draft import Draft
from apps.accord.front.numbers import Number
from datamodules.accord.instances import CVRP, TSP, FlowShop, Instance, JobShop

__all__ = ["Spare"]

NEAR = 40  # characters between a name and its datum
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_SEPARATED = re.compile(r"[.;!?\n]\s|\bor\b|\bto\b")
_THING = re.compile(
    r"(?:\b(?:item|object|thing|customer|client|shop|stop|node|place|city|town|point|job|order|part|product|piece|task|machine|station"
    r"|stage|patient|chapter|crate|box|car|depot|film|poster|gear|parcel|house|site|kiosk|lot|load|batch|no|number|nr|m|j|c)s?\s*[.#:]?"
    r"|[\[({,;|/:]|^)\s*$",
    re.I,
)
_NAMED = re.compile(
    r"\b(?:exercise|problem|question|homework|task|sheet|assignment|page|chapter|section|week|lecture|version|line|room|floor|street|hall"
    r"|figure|table|example|grade|class|instance|level|no\.?|number)\s*#?$",
    re.I,
)
_DATED = re.compile(rf"(?:in|since|of|from|year|{_MONTH}|\d|,)\s*$", re.I)
_FOUND = re.compile(
    r"\b(?:optimum|optimal \w+|best[- ]known(?: \w+)?|answer|result|solution|i (?:found|got|get|have found)|came (?:up|out) with|gave me"
    r"|objective(?: value)?|lower bound|upper bound|my best)\b(?: \w+){0,4}\s*[:=]?\s*$",
    re.I,
)
_LIMITING = re.compile(
    r"(?:at (?:most|least)|only|exactly|(?:more|less|fewer|later|longer) than|up to|max\w*\.?|min\w*\.?|within|until|before|after|between"
    r"|first|last|costs?|takes?|pick|choose|select|take|pack|skip)\s*$",
    re.I,
)
_LIMITED = re.compile(r"\s+(?:\w+ ){0,3}?(?:at most|at least|or (?:more|less|fewer)|max\w*|min\w*|only)\b", re.I)
_CONTAINER = re.compile(
    r"\s*(?:\w+\s){0,2}?(?:bins?|boxes|containers?|crates|cartons|trucks?|vans?|vehicles?|lorries|drivers?|couriers?|knapsacks?|bags?|times)\b",
    re.I,
)
_PLURAL = re.compile(r"[\s-]+(?!(?:of|more|less|times|others?|hours?|minutes?|days?|units?|seconds?)\b)(?:[a-z]+ ){0,2}?[a-z]+s\b", re.I)
_THERE = re.compile(r"\b(?:there (?:are|is)|have|has|own|exist|only|just|about|every|each)\s*$", re.I)
_TOGETHER = re.compile(r"\s+(?:[\w-]+\s+){0,3}?(?:at once|at a time|at the same time|simultaneously|in parallel)\b", re.I)
_AGO = re.compile(
    r"\s*(?:or \w+ )?(?:years?|months?|weeks?|days?|hours?)(?: \w+)? (?:ago|old|later|of experience|in business|already|now)\b", re.I
)
_RANGE = re.compile(r"\b([01])\s*(?:to|[-–]|/|\.\.\.?|through|or)\s*(\d{1,9})\b")  # jobs 1 to 4; 0-1
_START = re.compile(
    r"\b(?:start\w*|begin\w*|from|back to|return\w* to|depot)\b(?: \w+){0,2} (?:node|city|place|point|stop|site|town|number|no\.?)\s*$"
    r"|\bdepot\s*$",
    re.I,
)
_PASSED = re.compile(r"\b(?:first|through|pass\w*|visit\w*|from|to|then|over|on)\b.*\b(?:machine|stage|station)\s*$", re.I)
_HOLDS = re.compile(
    r"\b(?:capacit\w+|limit\w*|at most|more than|exceed\w*|holds?|holding|carr(?:y|ies|ied|ying)|fits?|bears?|takes?|sizes?"
    r"|sums?|lengths?|long"
    r"|total|loads?|room|space|each|per|payload|maximum|max|up to|budget|spend|afford|invest\w*|weigh\w*|[QCW])\b",
    re.I,
)
_NO_LIMIT = re.compile(r"\b(?:at least|less than|minimum|before|after|until|by|from|at)\s*$", re.I)
_TOTAL = re.compile(r"\b(?:total\w*|sum|altogether|together|in all|overall)\b", re.I)
_PAIR = re.compile(r"\b(?:no|any|these|those|the|same|our|all|over|across|between|among|into)\s*$", re.I)  # two of whatever


class Spare:
    """`again`: where a capacity or a fleet is told once more."""

    def __init__(self, draft: Draft, kind: str, instance: Instance | None) -> None:
        self.draft, self.kind, self.counts = draft, kind, _counts(instance) if instance is not None else set[int]()
        self.totals = _totals(draft)
        held = [number for number, meaning in draft.taken.values() if meaning.startswith(("capacity", "vehicles"))]
        self.again = {number.start for number in draft.numbers if _again(draft, number, held)}

    def left(self, ends: Sequence[int], data: Sequence[int]) -> list[tuple[int, int]]:
        """Places of numbers that may be a rule. `ends`: of sentences; `data`: where numbers begin that were read."""
        text, kept = self.draft.free, []
        for start, end in self.draft.unused():
            k = bisect_left(ends, start + 1)
            first, stop = ends[k - 1] if k else 0, ends[k] if k < len(ends) else len(text)
            before, after = text[max(first, start - 60) : start], text[end : min(stop, end + 60)]
            number = self.draft.number_at(start)
            if number is None:
                harmless = _written(text[start:end], after)
            else:
                harmless = start in self.again or self._names(number, data) or self._tells(number, before, after)
            if not harmless:
                kept.append((start, end))
        return self._unlisted(kept, data)

    def _unlisted(self, kept: list[tuple[int, int]], data: Sequence[int]) -> list[tuple[int, int]]:
        """Without running numbers: project 1 costs ..., project 2 costs ...; 1. (3, 4) 2. (5, 6)."""
        text, runs = self.draft.free, dict[str, list[tuple[int, int, Number]]]()
        for start, end in kept:
            k, number = bisect_left(data, end), self.draft.number_at(start)
            if number is not None and k < len(data) and data[k] - end <= NEAR:
                word = re.search(r"([^\W\d_]*)[ #(\[]?$", text[max(0, start - 20) : start])
                runs.setdefault(word[1].lower() if word else "", []).append((start, end, number))
        listed = set[tuple[int, int]]()
        for run in runs.values():
            if len(run) > 1 and run[0][2].value in (0, 1) and all(b[2].value == a[2].value + 1 for a, b in pairwise(run)):
                listed |= {(start, end) for start, end, _ in run}
        return [place for place in kept if place not in listed]

    def _names(self, number: Number, data: Sequence[int]) -> bool:
        """Item 3 weighs 5, (2, 14), customer 1 at (3, 4): the name of the datum right behind it."""
        k, text = bisect_left(data, number.end), self.draft.free
        if number.unit or number.value != int(number.value) or k == len(data) or data[k] - number.end > NEAR:
            return False
        return not _SEPARATED.search(text[number.end : data[k]]) and bool(_THING.search(text[max(0, number.start - 20) : number.start]))

    def _tells(self, number: Number, before: str, after: str) -> bool:
        """Exercise 3, in 2024, an answer known before, two at once, jobs 1 to 4, a count of what is listed."""
        text = self.draft.free[number.start : number.end]
        if (
            re.match(r"\s*\w*\.\.\.", after)
            or _NAMED.search(before)
            or _FOUND.search(before)
            or _TOGETHER.match(after)
            or _AGO.match(after)
        ):
            return True
        if (re.fullmatch(r"(?:19|20)\d\d", text) and _DATED.search(before)) or re.match(rf"\s*\.?\s*{_MONTH}\b", after, re.I):
            return True
        if re.search(rf"\b{_MONTH}\s*$", before, re.I) or (not number.value and re.search(r"\btime\s*$", before, re.I)):
            return True
        span = _RANGE.search(f"{before}{text}{after}", max(0, len(before) - 8))
        if span and span.start() <= len(before) < span.end() and (span[0].startswith("0") or int(span[2]) in self.counts):
            return True
        if (self.kind in ("tsp", "cvrp") and _START.search(before)) or (self.kind == "pfsp" and _PASSED.search(before)):
            return True
        if text.lower() == "two" and _PAIR.search(before):
            return True
        if _LIMITING.search(before) or _LIMITED.match(after):
            return False
        if number.value in self.totals and _TOTAL.search(f"{before} {after}"):
            return True
        if number.unit:
            return False
        spelled = text.isalpha() and bool(_PLURAL.match(after)) and not _THERE.search(before)  # three machines in a row, five pubs
        return (spelled or number.value in self.counts) and self._counting(before, after)

    def _counting(self, before: str, after: str) -> bool:
        if re.search(r"\b[nmkNMK]\s*=\s*$|\ball\s*$", before):
            return True
        limits = self.kind in ("cvrp", "knapsack", "binpack") and _CONTAINER.match(after)
        return bool(re.match(r"[\s-]+[a-z]", after, re.I)) and not limits


def _again(draft: Draft, number: Number, held: Sequence[Number]) -> bool:
    """The same value in the same unit, or in none where the sentence is about what something holds."""
    same = [one for one in held if one.value == number.value and (one.unit == number.unit or not (one.unit and number.unit))]
    if not same:
        return False
    before = re.split(r"[.;!?\n]", draft.free[max(0, number.start - 80) : number.start])[-1]
    after = re.split(r"[.;!?\n]", draft.free[number.end : number.end + 40])[0]
    alike = any(one.unit == number.unit for one in same) or bool(_HOLDS.search(f"{before} {after}"))
    return alike and not _NO_LIMIT.search(before)


def _totals(draft: Draft) -> set[Decimal]:
    """The sums of what was read under one name: of all weights, of all loads."""
    sums: dict[str, Decimal] = {}
    for number, meaning in draft.taken.values():
        name = meaning.split(" ")[0]
        sums[name] = sums.get(name, Decimal(0)) + number.value
    return set(sums.values())


def _counts(instance: Instance) -> set[int]:
    """How many there are of what the problem is about."""
    if isinstance(instance, TSP | CVRP):
        return {instance.size, instance.size - 1, instance.size + 1}  # with and without the start
    if isinstance(instance, FlowShop):
        return {*map(int, instance.times.shape)}
    if isinstance(instance, JobShop):
        return {len(instance.jobs), instance.machines, sum(map(len, instance.jobs))}
    return {instance.size}


def _written(text: str, after: str) -> bool:
    """What cannot be read as one number: dates, 0/1, thousands, 100 % sure."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}(?:/\d+)?|0[-/]1|(?:hundred|thousand|million|dozen)s", text, re.I):
        return True
    return bool(re.match(r"\s*(?:sure|certain|correct)\b", after, re.I))
