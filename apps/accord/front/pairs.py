"""Distances that a text tells pair by pair: (0):(1)=5, A-B 5 km, from A to B is 5, between A and B: 5."""

import re
from itertools import combinations, permutations

from apps.accord.front.draft import Draft
from apps.accord.front.numbers import NUMBER, Number
from datamodules.accord.errors import InvalidInstanceError

__all__ = ["NODE", "node_name", "pair_distances", "square"]

_BEFORE = r"(?:(?i:city|node|customer|client|stop|town|point|place|site|shop|the)\s+)?"
NODE = _BEFORE + r"(#\d+#|(?i:depot|warehouse|hub|base)\b|[A-Z][\w']*(?:[ ][A-Z][\w']*)?|[a-z]\b)"
_SMALL = _BEFORE + r"(#\d+#|[a-z][a-z']*)"  # of a text without a capital letter
_SAYS = r"\s*(?i:is|are|takes?|costs?|of|=|:|,|\(|measures|lies|about|distance|away|apart|by|be|km)*\s*"


def _patterns(node: str) -> list[re.Pattern[str]]:
    return [
        re.compile(pattern)
        for pattern in (
            rf"\(\s*{node}\s*\)\s*:\s*\(\s*{node}\s*\)\s*=\s*{NUMBER}",
            rf"\bd\s*\(\s*{node}\s*,\s*{node}\s*\)\s*=\s*{NUMBER}",
            rf"(?i:between)\s+{node}\s+(?i:and)\s+{node}{_SAYS}{NUMBER}",
            rf"{NUMBER}\s+(?i:from|between)\s+{node}\s+(?i:to|and)\s+{node}(?![\w#])",
            rf"(?:(?i:from)\s+)?{node}\s*(?:<?-+>|→|↔|—|–|-|/|(?i:to|and))\s*{node}{_SAYS}{NUMBER}",
            rf"\b([A-Z])([A-Z])\s*[=:]?\s*{NUMBER}",
        )
    ]


_COMPILED, _COMPILED_SMALL = _patterns(NODE), _patterns(_SMALL)
Distances = dict[tuple[str, str], Number]


def node_name(draft: Draft, text: str) -> str:
    """A mark stands for the number that is the node's id."""
    mark = re.fullmatch(r"#(\d+)#", text)
    return (
        f"{draft.numbers[int(mark[1])].value:f}"
        if mark
        else {"warehouse": "depot", "hub": "depot", "base": "depot"}.get(text.lower(), text)
    )


def pair_distances(draft: Draft) -> Distances:
    """By ordered pair of names, in the text's order. Ids are taken here, distances by who uses them.

    Where nothing is written with a capital, names are whatever words stand so, if every two of them do."""
    told = _told(draft, _COMPILED)
    if not told and not any(letter.isupper() for letter in draft.text):
        told = _whole(_told(draft, _COMPILED_SMALL))
    found: Distances = {}
    for one, other, number in told:
        for mark in re.findall(r"#(\d+)#", one + other):
            draft.take(mark, "id of a node")
        pair = node_name(draft, one), node_name(draft, other)
        if pair in found and found[pair].value != number.value:
            draft.lack(f"one distance {pair[0]} to {pair[1]}: the text says {found[pair].value:f} and {number.value:f}")
        found[pair] = number
    return found


def _told(draft: Draft, patterns: list[re.Pattern[str]]) -> list[tuple[str, str, Number]]:
    """What the first pattern finds that finds more than one pair, or one in ACCORD's own way."""
    for at, pattern in enumerate(patterns):
        matches = [match.groups() for match in pattern.finditer(draft.marked)]
        found = [(b, c, a) if at == 3 else (a, b, c) for a, b, c in matches]
        if len({(one, other) for one, other, _ in found}) > 1 or (found and at == 0):
            return [(one, other, draft.numbers[int(value)]) for one, other, value in found]
    return []


def _whole(told: list[tuple[str, str, Number]]) -> list[tuple[str, str, Number]]:
    """All of it where it names three places or more, and a distance for every two of them; else nothing."""
    pairs = {frozenset((one, other)) for one, other, _ in told}
    names = {name for pair in pairs for name in pair}
    return told if len(names) > 2 and all(frozenset(pair) in pairs for pair in combinations(names, 2)) else []


def square(draft: Draft, names: list[str], told: Distances) -> list[list[Number | None]]:
    """The matrix; a distance told one way counts both ways unless the text tells two different ones somewhere."""
    one_way = any((b, a) in told and told[b, a].value != number.value for (a, b), number in told.items())
    rows: list[list[Number | None]] = [[None] * len(names) for _ in names]
    lacking: list[str] = []
    for (i, a), (j, b) in permutations(enumerate(names), 2):
        number = told.get((a, b)) or (None if one_way else told.get((b, a)))
        rows[i][j] = number
        if number is None and (one_way or i < j):
            lacking.append(f"{a} {'to' if one_way else 'and'} {b}")
        elif number is not None:
            if number.value < 0:
                raise InvalidInstanceError(f"the distance {a} to {b} is {number.value:f}; distances are not negative")
            draft.take(number, f"distance {a} to {b}")
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        draft.lack(f"distance between {', '.join(lacking[:3])}{more}")
    return rows
