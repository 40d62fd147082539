"""How much a knapsack, a bin or a vehicle holds, how many vehicles there are, and how many things are announced."""

import re
from collections.abc import Sequence

from apps.accord.front.draft import Draft
from apps.accord.front.numbers import NUMBER, Number

__all__ = ["announced", "capacity", "fleet", "left_over", "no_count"]

MOST = (
    r"(?:up to|at most|no more than|not more than|a maximum(?: total)? of|a maximum"
    r"|max\.?|only|exactly|a total of|a maximum (?:weight|load) of|about)\s+"
)
BE = r"(?:\s*(?:\([^()#]*\)))?\s*(?:is|are|was|of|=|:|being|equals|at|to|set to|limited to|,|—|–)?\s*"
LIMIT = (
    r"\b(?:capacit(?:y|ies)|budget|payload|(?:weight|load|size|mass|volume|total|space"
    r"|maximum|max\.?)\s?(?:limit|allowance|capacity|load|weight|payload)|limit|allowance|(?:stock|bar|board|roll|pipe|stick)\s?length"
    r"|bin[_ ]size|max[_ ]weight)"
)
VEHICLE = r"(?:vehicles?|trucks?|vans?|lorr(?:y|ies)|couriers?|drivers?|cars?|bikes?)"
_VERBS = 2  # place of `takes 10` among the patterns
PATTERNS = [
    rf"{LIMIT}(?:\s+(?:for|of|per|in)\s+(?:the|a|an|each|every|one|all|our|my)?\s*(?:\w+\s){{0,2}}?\w+)?{BE}(?:{MOST})?{NUMBER}",
    rf"{NUMBER}[\s-]*(?:of\s+)?(?:\w+\s)?(?:capacity|payload|limit|budget|allowance)\b",
    (
        rf"\b(?:holds?|holding|carry|carries|carrying|fits?|lifts?|bears?|contains?|accommodates?"
        rf"|stows?|loads?|takes?|supports?|spend|allows?|can\s+have|transports?)\s+(?:{MOST})?(?:\w+\s)?{NUMBER}"
    ),
    (
        rf"(?:at most|no more than|not more than|not exceed(?:ing)?|exceed(?:ing|s)?|up to"
        rf"|within|maximum of|max\.?|more than|upper limit of|limited to|≤|<=|under|room for|space for)"
        rf"\s*(?:\w+\s)?(?:a\s)?(?:total\s)?(?:weight\s)?(?:of\s)?{NUMBER}"
    ),
    (
        rf"\b(?:bins?|boxes|box|containers?|trucks?|vans?|vehicles?|knapsack|backpack|rucksack"
        rf"|bag|disks?|rolls?|crates?|lorr(?:y|ies)|pipes?|boards?)\s+(?:of|sized?|of size"
        rf"|with size|with|that are|are|is|measuring)\s+(?:size\s)?(?:each\s)?(?:{MOST})?{NUMBER}"
    ),
    rf"{NUMBER}[\s-]+(?:(?:of\s)?(?:space|room|storage)|(?:knapsack|backpack|rucksack|bag|suitcase|sack)s?\b)",
    rf"{NUMBER}\s+(?:\w+\s){{0,3}}?(?:max\b|maximum\b|at most|cap\b)",
    rf"{NUMBER}\s+(?:per|in each|in every)\s+(?:bin|box|container|crate|carton|tote|shelf|dis[ck]|roll|bag|sack|truck|van|vehicle|lorry)\b",
    (
        rf"\b(?:bins?|boxes|sessions?|hosts?|servers?|tubs?|dvds?|dis[ck]s?|totes?|tins?|tanks?|shel(?:f|ves)|breaks?|reels?|bars?"
        rf"|sides?|bus(?:es)?|minibus(?:es)?|coach(?:es)?|trailers?|lifts?|{VEHICLE})\s+(?:of|with|has|have|lasts?|plays?|seats?|=)\s+"
        rf"(?:{MOST})?{NUMBER}"
    ),
    rf"\b(?:may|can|must not) weigh\s+(?:{MOST})?{NUMBER}",
    (
        rf"\b(?:have|has|got|is|are|with|given|'ve)\s+(?:only\s+)?{NUMBER}\s+(?:\w+\s+){{0,3}}?"
        rf"(?:left|to spend|to invest|available|time|of capital|before)\b"
    ),
    rf"{NUMBER}\s+of\s+capital\b",
    rf"\b(?:loaded|filled|stowed) with\s+(?:{MOST})?{NUMBER}",
    rf"(?:heavier|longer|larger|bigger|dearer) than\s+{NUMBER}",
    rf"\b(?:strong enough|space|room|big enough|suitable|good|made) for\s+(?:{MOST})?{NUMBER}",
    rf"{NUMBER}\s+(?:is|are) (?:the|my|our|its) (?:\w+\s)?(?:limit|maximum|capacity|budget|allowance|most)\b",
    rf"\b(?:allowed|permitted|given|granted)\s+(?:{MOST})?{NUMBER}",
    rf"{NUMBER}\s+(?:fits?|goes?|can be (?:loaded|carried|spent|packed)|(?:is|are) (?:available|there|allowed))\b",
    (
        rf"\b(?:have|has|with|there (?:is|are))\s+(?:only\s+)?{NUMBER}\s+"
        rf"(?:to (?:study|work|prepare|cook|fill|use|pack|read|watch|play|learn)|in (?:my|the|his|her|our)\b)"
    ),
    (
        r"\b(?:slabs?|panes?|bars?|boards?|pipes?|rolls?|beams?|rods?|planks?|sheets?|bins?|boxes)\s+(?:of|with)\s+(?:a\s+)?"
        rf"(?:length|size|weight)s?\s+(?:of\s+)?{NUMBER}"
    ),
    rf"\b(?:shifts?|days?|evenings?|sessions?|bars?|pipes?|boards?|rolls?|tracks?)\s+(?:is|are|lasts?)\s+(?:{MOST})?{NUMBER}(?:\s+\w+)?\s+long\b",
    rf"{NUMBER}\s+(?:\w+\s)?(?:an?|each|per|every)\s+(?:filling|trip|go|load|firing|ride|journey|walk|drive)\b",
    rf"\b(?:brings?|moves?|tows?)\s+(?:{MOST})?{NUMBER}\s+(?:\w+\s)?at (?:a|one) time\b",
    rf"\b(?:ha(?:s|ve)|seats?|with|of)\s+(?:{MOST})?{NUMBER}\s+seats\b",
    rf"\b(?:tables?|rows?|benches)\b[^.;#]{{0,25}}\bseats?\s+(?:{MOST})?{NUMBER}",
    rf"\b(?:evenings?|days?|shifts?|sessions?|breaks?)\b[^.;#]{{0,25}}\blasts?\s+(?:{MOST})?{NUMBER}",
    (
        rf"{NUMBER}\s+is what (?:an?|each|every|one|the)\s+\w+\s+(?:may|can|must|is able to)?\s*"
        r"(?:carr\w*|holds?|takes?|bears?|fits?|weighs?|loads?)\b"
    ),
    rf"\b(?:come|comes|sold|bought) in lengths of\s+{NUMBER}",
    rf"\b{VEHICLE}\b[^.;#]{{0,25}}[(:,\s]{NUMBER}\s+(?:\w+\s)?(?:each|apiece)\b",
    rf"\b[CWQ]\s*=\s*{NUMBER}",
    rf"\b[cwq]\s*=\s*{NUMBER}",
    rf"\b[Cc]ap\.?\s*[=:]?\s*{NUMBER}",
]
_COMPILED = [re.compile(pattern, re.I if k < len(PATTERNS) - 3 else 0) for k, pattern in enumerate(PATTERNS)]
_SIZED = re.compile(
    rf"{NUMBER}\s+(?:bins?|boxes|containers?|barrels?|crates?|cartons?|disks?|rolls?|boards?|pipes?|bags?|tanks?|trucks?|vans?)\b", re.I
)
_FLEET = re.compile(
    rf"(?<!each of the )(?:(?:fleet|number) of\s+(?:{VEHICLE}\s*)?(?:is|=|:|of)?\s*{NUMBER}"
    rf"|{NUMBER}\s+(?:(?:identical|equal|delivery|available|similar|same|small|our)\s+){{0,2}}{VEHICLE}"
    rf"|\b{VEHICLE}\s*(?:=|:|available:|count:?)\s*{NUMBER}|\bK\s*=\s*{NUMBER})",
    re.I,
)
_EACH = re.compile(r"\s+(?:can\s+)?(?:holds?|carr\w+|has|takes)", re.I)  # one van holds 5: all vans do
_OF_EACH = re.compile(r"\b(?:by|in|on|into|onto|to)\s+(?:(?:exactly|only|just)\s+)?$", re.I)  # each customer is served by one van

# What is told beside a capacity, and what a number names or counts that is none.
_LIMITING = re.compile(
    r"\b(?:max\w*|limit\w*|allow\w*|(?:at )?most|only|fits?|full|bears?|lifts?|offers?|carry|carries|holds?|can|may|each|every|length"
    rf"|long|room|memory|space|loads?|to give|in all|stops|bins?|bags?|box(?:es)?|crates?|pallets?|slabs?|panes?|bottles?|{VEHICLE})\b",
    re.I,
)
_NAMING = re.compile(
    r"\b(?:item|object|thing|customer|client|shop|stop|node|place|job|no\.?|number|exercise|question|problem|homework|week|day|chapter|page"
    r"|room|year|line|part|step|since|in)\s*$",
    re.I,
)
_COUNTING = re.compile(
    r"\s+(?:(?!(?:an?|per|to|each|fits?)\b)\w+\s+){0,2}?"
    rf"(?:items?|objects?|things?|customers?|clients?|bins?|box(?:es)?|bags?|people|years?|{VEHICLE})\b(?!\s+(?:an?|per|to|each|fits?)\b)",
    re.I,
)


_NO_COUNT = re.compile(
    r"\s*(?:[\w-]+\s+){0,3}?(?:at once|at (?:a|the same|any|one) time|simultaneously|in parallel|at (?:most|least))\b", re.I
)


def left_over(draft: Draft, sizes: Sequence[Number], name: str = "capacity") -> Number | None:
    """Where no wording that we know gives the capacity: the one number that is left, if it stands in a sentence about a limit, counts and
    names nothing, and could be one (some things fit, not all do)."""
    if any(what.startswith(name) for what in draft.missing):  # two are given
        return None
    least, total = max((size.value for size in sizes), default=0), sum(size.value for size in sizes)
    found = []
    for match in re.finditer(NUMBER, draft.marked):
        number = draft.numbers[int(match[1])]
        before, after = draft.marked[: match.start()], draft.marked[match.end() :]
        sentence = re.split(r"[.;!?\n]", before)[-1] + re.split(r"[.;!?\n]", after)[0]
        counts = _COUNTING.match(after) or (number.value == len(sizes) and re.match(r"\s+\w+s\b", after))
        if draft.free_of(match.groups()) and not draft.in_words(match[1]) and not _NAMING.search(before) and not counts:
            found.append((number, bool(_LIMITING.search(sentence)) and least <= number.value < total))
    if len(found) == 1 and found[0][1]:
        return draft.take(found[0][0], name)
    draft.lack(name)
    return None


def capacity(draft: Draft, name: str = "capacity") -> Number | None:
    """The one capacity that the text gives; None where no known wording does, and where there are two different ones, which are missing."""
    for pattern in _COMPILED:
        found = [match for match in pattern.finditer(draft.marked) if draft.free_of(match.groups()) and not _listed(draft, match)]
        if not found:
            continue
        numbers = [draft.numbers[int(match[1])] for match in found]
        if len({number.value for number in numbers}) > (2 if pattern is _COMPILED[_VERBS] else 1) and pattern in (
            _COMPILED[_VERBS],
            _COMPILED[-2],
        ):
            continue  # what each thing takes, w = 4 of each thing: not what all may take
        if len({number.value for number in numbers}) > 1:
            values = " or ".join(dict.fromkeys(f"{number.value:f}" for number in numbers))
            draft.lack(f"{name} (one of them: the text says {values})")
            return None
        for match in found:
            draft.take(match[1], name)
        return numbers[0]
    sized = [match for match in _SIZED.finditer(draft.marked) if draft.numbers[int(match[1])].unit and draft.free_of(match.groups())]
    if len(sized) == 1:
        return draft.take(sized[0][1], name)
    return None


def _listed(draft: Draft, match: re.Match[str]) -> bool:
    """The first of a list (takes 3, 4, 5) is no capacity; what follows in `capacity 3, one depot` is no list."""
    after = re.match(r"(?:\s*[,;]\s*(?:and\s+)?|\s+and\s+)#(\d+)#(?!\s+(?:\w+\s+)?[a-z]+s\b)", draft.marked[match.end() :])
    return after is not None and not draft.in_words(after[1])


def fleet(draft: Draft) -> Number | None:
    """How many vehicles there are; None where the text leaves it open."""
    found = [(next(k for k in match.groups() if k is not None), match) for match in _FLEET.finditer(draft.marked)]
    numbers = []
    for k, match in found:
        if re.search(r"\b(?:at least|more than|a minimum of)\s*$", draft.marked[: match.start()], re.I):
            continue  # left over, which is told
        each = _EACH.match(draft.marked[match.end() :]) or _OF_EACH.search(draft.marked[: match.start()])
        if not (each and draft.numbers[int(k)].value == 1) and draft.free_of([k]):
            numbers.append(draft.take(k, "vehicles"))
    if len({number.value for number in numbers}) > 1:
        draft.lack(f"vehicles (the text says {' and '.join(f'{number.value:f}' for number in numbers)})")
        return None
    return numbers[0] if numbers else None


def no_count(marked: str, match: re.Match[str]) -> bool:
    """No two jobs at once, on one machine at a time, between two machines, 3 things at most: such numbers count nothing that is listed."""
    before, after = marked[max(0, match.start() - 20) : match.start()], marked[match.end() : match.end() + 40]
    return bool(_NO_COUNT.match(after) or re.search(r"\b(?:no|any|between|at most|at least|more than|up to)\s*$", before, re.I))


def announced(draft: Draft, things: str, count: int, meaning: str) -> None:
    """`5 cities`: a count that the text announces is checked against what was found."""
    for match in re.finditer(
        rf"(?<!by )(?<!x )(?<!no )(?<!any ){NUMBER}"
        rf"[ \t]+(?:(?!of\b|per\b|to\b)[a-z]+[ \t]+){{0,2}}?(?:{things})\b(?!\s*(?:\d|#|[A-Z]\b|-?shop))",
        draft.marked,
        re.I,
    ):
        if not draft.free_of(match.groups()):
            continue
        number = draft.numbers[int(match[1])]
        if number.unit or (number.value == 1 and draft.in_words(match[1])) or no_count(draft.marked, match):  # one crate holds 10: no count
            continue
        draft.take(number, f"number of {meaning}")
        if number.value != count:
            draft.lack(f"{meaning}: {number.value:f} are announced, {count} are given")
