"""Knapsack and bin packing from a text."""

import re

from apps.accord.front.blocks import Blocks
from apps.accord.front.capacity import announced, capacity, left_over
from apps.accord.front.draft import Draft, scaled
from apps.accord.front.numbers import NUMBER, Number
from apps.accord.front.records import json_value, rows_of, tuples_of
from apps.accord.front.tuples import groups, leaves, numeric_list
from datamodules.accord.instances import BinPacking, Knapsack

__all__ = ["binpack", "knapsack"]

VALUE = (
    r"values?|profits?|worths?|prices?|benefits?|utilit(?:y|ies)|gains?|rewards?|scores?|revenues?|returns?"
    r"|usefulness|fun|taste|readers?|importance|joy|pleasure|happiness|satisfaction|ratings?|earnings?|income|proceeds|calories"
)
WEIGHT = r"weights?|sizes?|mass(?:es)?|volumes?|lengths?|heights?|costs?|durations?|efforts?"
BARE = r"(?!\s*(?:of|is|:|=)?\s*#)"  # value 6 weight 4: `weight` belongs to the number behind it
THINGS = r"items?|objects?|things?|packages?|parcels?|boxes|products?|pieces?|projects?|goods|articles?|files?|crates?|loads?"
IS = r"\s*(?:\([^()#]*\))?\s*(?:of|is|are|:|=|at|about|,)?\s*"
_VALUED = re.compile(
    rf"\b(?:worth|valued?(?:\sat)?|(?:{VALUE})|earns?|brings?(?:\s(?:in|you))?|yields?"
    rf"|pays?|reach(?:es)?|sells?\sfor|(?:gives?|returns?)(?:\sa)?(?:\s(?:profit|value|benefit|return))?)(?:\sof)?{IS}"
    rf"{NUMBER}|\b[vp](?:_?\w)?\s*=\s*{NUMBER}|{NUMBER}\s*(?:points?|stars?|in value|of value|value|of profit|profit"
    rf"|of benefit|benefit)\b{BARE}",
    re.I,
)
_WEIGHED = re.compile(
    (
        rf"\b(?:weigh(?:s|ing|ed)?|(?:{WEIGHT})|takes?(?:\sup)?|needs?|occup(?:y|ies)|uses?"
        rf"|requires?)(?:\s(?:a\s)?(?:weight|mass|size))?{IS}{NUMBER}|\bw(?:_?\w)?\s*=\s*{NUMBER}|{NUMBER}\s*(?:in weight"
        rf"|of weight|weight|heavy|of space)\b{BARE}"
    ),
    re.I,
)
_COUNTED = re.compile(
    rf"{NUMBER}\s*(?:x|×|times|(?:{THINGS}|bags?|rolls?|pipes?|planks?|boards?|jobs?"
    rf"|ones?|of them|are|have)(?:\s(?:are|have|has|is))?)\s*(?:of|with|weighing|sized?"
    rf"|have|has|a|are|at|that|which|measuring|weigh)*\s*(?:{WEIGHT}|weigh|each)?\s*(?:of\s)?{NUMBER}",
    re.I,
)


def knapsack(draft: Draft, blocks: Blocks) -> Knapsack | None:
    held = _held(draft, blocks)
    pairs = _pairs(draft, blocks, held)
    if not pairs:
        draft.lack("value and weight of each item")
    announced(draft, THINGS, len(pairs), "items")
    for k, (value, weight) in enumerate(pairs):
        draft.take(value, f"value of item {k + 1}")
        draft.take(weight, f"weight of item {k + 1}")
    held = held or left_over(draft, [weight for _, weight in pairs])
    if draft.missing or held is None:
        return None
    values, value_scale = scaled([value for value, _ in pairs])
    weights, scale = scaled([*(weight for _, weight in pairs), held])
    return Knapsack(values[:], weights[:-1], weights[-1], scale=scale, value_scale=value_scale)  # type: ignore[arg-type]


def _held(draft: Draft, blocks: Blocks) -> Number | None:
    held = json_value(blocks, "capacity")
    return draft.take(held, "capacity") if isinstance(held, Number) else capacity(draft)


def _pairs(draft: Draft, blocks: Blocks, held: Number | None) -> list[tuple[Number, Number]]:
    needed = {"value", "weight"}
    rows = rows_of(blocks, needed)
    if not rows:
        rows, brackets = tuples_of(draft, needed)
        if not rows and brackets > 1 and not _labelled(draft):
            if told := _told(draft, held):  # (value 6, weight 4), (value 5, weight 3)
                return told
            draft.lack("which number of a pair is the value and which the weight: write (value, weight) before them")
            return []
    pairs = [(row["value"], row["weight"]) for row in rows]
    if pairs and all(isinstance(cell, Number) for pair in pairs for cell in pair):
        return pairs  # type: ignore[return-value]
    if lists := _labelled(draft):
        return lists
    return _told(draft, held)


def _labelled(draft: Draft) -> list[tuple[Number, Number]]:
    """Values: 6, 5, 9. Weights: 4, 3, 7."""
    values = [one for one in numeric_list(draft.marked, rf"\b(?:{VALUE}|worth)") if len(one) > 1 and draft.free_of(map(str, one))]
    weights = [one for one in numeric_list(draft.marked, rf"\b(?:{WEIGHT}|weigh(?:ing)?)") if len(one) > 1 and draft.free_of(map(str, one))]
    if len(values) != 1 or len(weights) != 1:
        return []
    if len(values[0]) != len(weights[0]):
        draft.lack(f"as many weights as values: there are {len(values[0])} values and {len(weights[0])} weights")
        return []
    return [(draft.numbers[v], draft.numbers[w]) for v, w in zip(values[0], weights[0], strict=True)]


def _told(draft: Draft, held: Number | None) -> list[tuple[Number, Number]]:
    """The tent is worth 100 and weighs 5 kg; the stove ..."""
    said: dict[int, str] = {}
    for name, pattern in (("weight", _WEIGHED), ("value", _VALUED)):
        for match in pattern.finditer(draft.marked):
            k = next(one for one in match.groups() if one is not None)
            if draft.free_of([k]):
                said[int(k)] = name
    kinds = {"money": "value", "mass": "weight"}  # where nothing else is said
    if held is not None and held.dimension:
        kinds[held.dimension] = "weight"
    free = [k for k in range(len(draft.numbers)) if k not in said and draft.free_of([str(k)]) and not _total(draft, k)]
    said |= {k: kinds[draft.numbers[k].dimension] for k in free if draft.numbers[k].dimension in kinds}
    if len(set(said.values())) == 1:  # lamp 4 kg, 30; clock 6 kg, 55: what stands beside each weight can only be a value
        other = "value" if "weight" in said.values() else "weight"
        plain = [k for k in free if k not in said and not draft.numbers[k].unit and not draft.in_words(k)]
        if len(plain) == len(said) > 1:
            said |= dict.fromkeys(plain, other)
    order = [(said[k], draft.numbers[k]) for k in sorted(said)]
    names = [name for name, _ in order]
    if len(names) < 2 or len(names) % 2 or names != names[:2] * (len(names) // 2) or names[0] == names[1]:
        return []
    first, second = (0, 1) if names[0] == "value" else (1, 0)
    return [(order[k + first][1], order[k + second][1]) for k in range(0, len(order), 2)]


def _total(draft: Draft, k: int) -> bool:
    return bool(re.search(rf"(?:total|altogether|sum)\W+(?:\w+\W+)?#{k}#", draft.marked))


def binpack(draft: Draft, blocks: Blocks) -> BinPacking | None:
    held = _held(draft, blocks)
    sizes = _sizes(draft, blocks)
    if not sizes:
        draft.lack("sizes of the items")
    announced(draft, THINGS, len(sizes), "items")
    for k, size in enumerate(sizes):
        draft.take(size, f"size of item {k + 1}")
    held = held or left_over(draft, sizes)
    if draft.missing or held is None:
        return None
    weights, scale = scaled([*sizes, held])
    return BinPacking(weights[:-1], weights[-1], scale=scale)  # type: ignore[arg-type]


def _sizes(draft: Draft, blocks: Blocks) -> list[Number]:
    rows = rows_of(blocks, {"weight"})
    listed = json_value(blocks, "items")
    if not rows and isinstance(listed, list) and listed and all(isinstance(one, Number) for one in listed):
        return listed
    if rows:
        return [size for row in rows for size in [row["weight"]] * _count(draft, row) if isinstance(size, Number)]
    counted = [match for match in _COUNTED.finditer(draft.marked) if draft.free_of(match.groups())]
    counted = counted if all(_whole(draft, match[1]) for match in counted) else []
    if counted and 2 * len(counted) >= len(_only(draft)):  # `more than 1 item of size 5` beside a long list is none
        return [draft.numbers[int(m[2])] for m in counted for _ in range(int(draft.take(m[1], "number of equal items").value))]
    rows, brackets = tuples_of(draft, {"weight"})
    if rows:
        return [row["weight"] for row in rows if isinstance(row["weight"], Number)]
    if brackets > 1:
        return _identified(draft)
    return max((_listed(draft), _equal(draft), _weighed(draft), _only(draft)), key=len)  # what reads most; the first of equals


def _listed(draft: Draft) -> list[Number]:
    """Sizes: 6, 5, 4."""
    lists = numeric_list(draft.marked, rf"\b(?:{WEIGHT}|weigh(?:ing|s)?|(?:{THINGS})(?: are| have| of)?)")
    lists = [one for one in lists if len(one) > 1 and draft.free_of(map(str, one))]
    return [draft.numbers[k] for k in lists[0]] if len(lists) == 1 else []


def _equal(draft: Draft) -> list[Number]:
    """a=6, b=5."""
    told = re.findall(rf"(?:(?<=[\s,;:])|^)[a-z]\w*\s*[=:]\s*{NUMBER}(?=\s*(?:[,;.\n]|and\b|$))", draft.marked, re.I | re.M)
    told = [k for k in told if draft.free_of([k])]
    return [draft.numbers[int(k)] for k in told] if len(told) > 1 else []


def _weighed(draft: Draft) -> list[Number]:
    """Item 1 weighs 6, item 2 weighs 5."""
    marks = sorted({int(next(k for k in match.groups() if k)) for match in _WEIGHED.finditer(draft.marked)})
    return [draft.numbers[k] for k in marks if draft.free_of([str(k)])]


def _count(draft: Draft, row: dict[str, Number | str]) -> int:
    count = row.get("count")
    return (
        int(draft.take(count, "number of equal items").value) if isinstance(count, Number) and count.value == int(count.value) >= 0 else 1
    )


def _whole(draft: Draft, k: str) -> bool:
    number = draft.numbers[int(k)]
    return not number.unit and number.value == int(number.value) and 0 < number.value <= 100_000


def _identified(draft: Draft) -> list[Number]:
    """Pairs of brackets whose first numbers count up: (0, 6), (1, 5): the second is the size."""
    pairs = [group.marks for group in leaves(groups(draft.marked)) if len(group.marks) == 2]
    ids = [draft.numbers[pair[0]].value for pair in pairs]
    if not ids or ids != [ids[0] + k for k in range(len(ids))] or ids[0] not in (0, 1):
        draft.lack("which number of a pair is the size: write (id, size) before them")
        return []
    for pair in pairs:
        draft.take(pair[0], "id of an item")
    return [draft.numbers[pair[1]] for pair in pairs]


def _only(draft: Draft) -> list[Number]:
    """The one list of numbers that is left."""
    lists = [
        [int(k) for k in re.findall(r"#(\d+)#", match[0])]
        for match in re.finditer(r"#\d+#(?:\s*(?:,\s*and|,|;|and|\s)\s*#\d+#)+", draft.marked)
    ]
    free = [one for one in lists if draft.free_of(map(str, one))]
    return [draft.numbers[k] for k in free[0]] if len(free) == 1 else []
