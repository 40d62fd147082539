"""What the customers of a text ask for, and where its depot is."""

import re

from apps.accord.front.draft import Draft
from apps.accord.front.numbers import NUMBER, Number
from apps.accord.front.pairs import NODE, node_name
from apps.accord.front.tuples import numeric_list

__all__ = ["before", "beside", "depot_at", "left_out", "named", "row"]

DEPOT = r"(?:depot|warehouse|hub|distribution cent(?:er|re)|base|garage|plant|bakery)"
ASKS = r"(?:demands?|needs?|wants?|orders?|ordered|requires?|gets?|asks? for|expects?|load|quantity|receives?|sells?|q)"
STARTS = rf"(?:{DEPOT}|brewery|kitchen|store|yard|dairy|terminal|pit|works|home|headquarters|HQ|hall|quarry|farm|office|mill)"
GOODS = (
    r"(?:parcels?|boxes|pallets?|crates?|packages?|units?|orders?|items?|bags?|loads?|barrels?|letters?|cases?|tons?"
    r"|loaves|sofas?|drums?|trays?|copies|meals?|buckets?|sacks?|kegs?|bottles?)"
)
_FIRST = re.compile(
    rf"(?:first|node (?:0|#\d+#)|index (?:0|#\d+#)|#\d+#)\s+(?:node|point|location|place"
    rf"|city|entry|row|one|pair)?\s*(?:\([^)]*\))?\s*(?:is|=|being|as|stands for)\s+(?:the\s+"
    rf"|our\s+)?{DEPOT}|{DEPOT}\s+(?:is|=|being|:|comes|has index)\s*(?:the\s+|at\s+)?(?:first"
    rf"|node\s+#\d+#|index\s+#\d+#|location\s+#\d+#)",
    re.I,
)
_BESIDE = re.compile(rf"\b{ASKS}\s*(?:of|is|are|:|=)?\s*{NUMBER}(?!\s*[(\[])|{NUMBER}\s*{GOODS}\b|[,:;]\s*{NUMBER}\s*(?:[;,.)]|$|\n)", re.I)
_AFTER = re.compile(rf"\s*:?\s*{NUMBER}(?!\s*[(\[])")
_BEFORE = re.compile(rf"{NUMBER}\s+(?:[\w-]+\s+){{0,3}}?(?:to|for)\s+(?:[\w']+\s+){{0,3}}?(?:at\s+)?$", re.I)
_NAMED = re.compile(
    rf"{NODE}\s*(?i:{ASKS})\s*(?i:of|is|:|=)?\s*{NUMBER}|(?i:demand)\s+(?i:of|at|for)\s+{NODE}\s*(?i:is|:|=|of)?\s*{NUMBER}"
)
_LISTED = re.compile(rf"{NODE}\s*(?:[:=(]|(?i:is|has|with))?\s*{NUMBER}")


def depot_at(draft: Draft, places: list[tuple[int, int]]) -> int | None:
    """Which of the places (brackets of the marked text) is the depot; None where the text does not say."""
    marked = draft.marked
    named: list[int] = []  # the depot is at (3, 4)
    called: list[int] = []  # (3, 4) is the depot
    for k, (start, end) in enumerate(places):
        before = marked[max(places[k - 1][1] if k else 0, start - 60) : start]
        after = marked[end : min(places[k + 1][0] if k + 1 < len(places) else len(marked), end + 40)]
        if re.search(rf"\b{DEPOT}\b[^.;\n]*$", before, re.I):
            named.append(k)
        if re.match(rf"\s*(?:,|is|as|=|being|\()*\s*(?:the|our)?\s*{DEPOT}\b(?!\s*(?:is|lies|at|in|:|=|\())", after, re.I):
            called.append(k)
    found = named or called
    if len(found) == 1:
        return found[0]
    match = _FIRST.search(marked)
    if not found and match:
        mark = re.search(r"#(\d+)#", match[0])
        if mark is None:
            return 0
        number = draft.take(mark[1], "node of the depot")
        return int(number.value) if number.value == int(number.value) and 0 <= number.value < len(places) else None
    return None


def left_out(draft: Draft, places: list[tuple[int, int]], loads: dict[int, Number]) -> int | None:
    """The one place without a demand, where the words before it say that rides begin there: the store (0, 0)."""
    without = [k for k in range(len(places)) if k not in loads]
    if len(without) != 1 or len(places) < 2:
        return None
    k = without[0]
    before = draft.marked[max(places[k - 1][1] if k else 0, places[k][0] - 60) : places[k][0]]
    return k if re.search(rf"\b{STARTS}\b[^.;\n]*$", before, re.I) else None


def beside(draft: Draft, places: list[tuple[int, int]]) -> dict[int, Number]:
    """Demands told right after a place, or inside its sentence."""
    found: dict[int, Number] = {}
    for k, (_, end) in enumerate(places):
        stop = min(places[k + 1][0] if k + 1 < len(places) else len(draft.marked), end + 60)
        mark = None
        if (after := _AFTER.match(draft.marked, end)) and draft.numbers[int(after[1])].dimension not in ("length", "time"):
            mark = after[1]
        elif (match := _BESIDE.search(draft.marked, end)) and match.end() <= stop:
            mark = next(one for one in match.groups() if one)
        if mark is not None and draft.free_of([mark]):
            found[k] = draft.numbers[int(mark)]
    return found


def before(draft: Draft, places: list[tuple[int, int]]) -> dict[int, Number]:
    """4 boxes to (3, 4), 6 boxes to (6, 1)."""
    found: dict[int, Number] = {}
    for k, (start, _) in enumerate(places):
        match = _BEFORE.search(draft.marked[max(places[k - 1][1] if k else 0, start - 60) : start])
        if match and draft.free_of([match[1]]):
            found[k] = draft.numbers[int(match[1])]
    return found


def named(draft: Draft, names: list[str]) -> dict[str, Number]:
    """B needs 4; the demand of C is 5; demands: B 4, C 5."""
    found: dict[str, Number] = {}
    for match in _NAMED.finditer(draft.marked):
        name, mark = (match[1], match[2]) if match[1] else (match[3], match[4])
        if (plain := node_name(draft, name)) in names and draft.free_of([mark]):
            found.setdefault(plain, draft.numbers[int(mark)])
    if 0 < len(found) < len(names) - 1:  # A needs 4, B 6, C 5
        for sentence in re.split(r"[.!?](?=\s)|\n", draft.marked):
            if _NAMED.search(sentence):
                for match in _LISTED.finditer(sentence):
                    if (plain := node_name(draft, match[1])) in names and draft.free_of([match[2]]):
                        found.setdefault(plain, draft.numbers[int(match[2])])
    if found:
        return found
    for sentence in re.finditer(rf"(?i:\b{ASKS})\s*(?:\([^)]*\))?\s*(?:are|is|:|=|of)*\s*((?:[^.\n]|\.\d)*)", draft.marked):
        for match in _LISTED.finditer(sentence[1]):
            if (plain := node_name(draft, match[1])) in names and draft.free_of([match[2]]):
                found.setdefault(plain, draft.numbers[int(match[2])])
    return found


def row(draft: Draft, count: int) -> list[Number] | None:
    """demands: 3, 5, 2: one for each customer, or for the depot too."""
    lists = [one for one in numeric_list(draft.marked, rf"\b{ASKS}") if draft.free_of(map(str, one))]
    fitting = [one for one in lists if len(one) in (count, count - 1)]
    if lists and not fitting and len(longest := max(lists, key=len)) > 1:
        draft.lack(f"a demand for each customer: there are {len(longest)} demands for {count - 1} customers")
    return [draft.numbers[k] for k in fitting[0]] if fitting else None
