"""Distances that a text tells pair by pair: (0):(1)=5, A-B 5 km, from A to B is 5, between A and B: 5."""

import re
from itertools import permutations

from apps.accord.front.draft import Draft
from apps.accord.front.numbers import NUMBER, Number
from datamodules.accord.errors import InvalidInstanceError

__all__ = ["NODE", "node_name", "pair_distances", "square"]

NODE = (
    r"(?:(?i:city|node|customer|client|stop|town|point|place|site|shop|the)\s+)?(#\d+#"
    r"|(?i:depot|warehouse|hub|base)\b|[A-Z][\w']*(?:[ ][A-Z][\w']*)?|[a-z]\b)"
)
_SAYS = r"\s*(?i:is|are|takes?|costs?|of|=|:|,|\(|measures|lies|about|distance|away|apart|by|be|km)*\s*"
_PATTERNS = [
    rf"\(\s*{NODE}\s*\)\s*:\s*\(\s*{NODE}\s*\)\s*=\s*{NUMBER}",
    rf"\bd\s*\(\s*{NODE}\s*,\s*{NODE}\s*\)\s*=\s*{NUMBER}",
    rf"(?i:between)\s+{NODE}\s+(?i:and)\s+{NODE}{_SAYS}{NUMBER}",
    rf"{NUMBER}\s+(?i:from|between)\s+{NODE}\s+(?i:to|and)\s+{NODE}(?![\w#])",
    rf"(?:(?i:from)\s+)?{NODE}\s*(?:<?-+>|→|↔|—|–|-|/|(?i:to|and))\s*{NODE}{_SAYS}{NUMBER}",
    rf"\b([A-Z])([A-Z])\s*=\s*{NUMBER}",
]
_COMPILED = [re.compile(pattern) for pattern in _PATTERNS]
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
    """By ordered pair of names, in the text's order. Ids are taken here, distances by who uses them."""
    for at, pattern in enumerate(_COMPILED):
        found: Distances = {}
        ids: list[str] = []
        for match in pattern.finditer(draft.marked):
            one, other, value = (match[2], match[3], match[1]) if at == 3 else (match[1], match[2], match[3])
            pair = node_name(draft, one), node_name(draft, other)
            number = draft.numbers[int(value)]
            if pair in found and found[pair].value != number.value:
                draft.lack(f"one distance {pair[0]} to {pair[1]}: the text says {found[pair].value:f} and {number.value:f}")
            found[pair] = number
            ids += re.findall(r"#(\d+)#", one + other)
        if len(found) > 1 or (found and at == 0):
            for k in ids:
                draft.take(k, "id of a node")
            return found
    return {}


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
