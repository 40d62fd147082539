"""Pisinger's sets of knapsacks: a name, lines `n 50`, `c 995`, `z 8373` (the optimum), and `id,value,weight,taken` for each item."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Number, number, plain, scaled, whole
from datamodules.accord.formats.plans import one_line
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, Knapsack

__all__ = ["PISINGER_CSV"]

_KEY = re.compile(r"^\s*(n|c|z|time)\s+(\S+)\s*$")
_RULE = "-----"

Lines = list[tuple[int, str]]


def _matches(source: Source) -> bool:
    keys = [found[1] for _, line in source.filled[:6] if (found := _KEY.match(line))]
    return keys[:2] == ["n", "c"]


def _read(source: Source, options: Options) -> list[Instance]:
    blocks: list[Lines] = [[]]
    for line, text in source.filled:
        if set(text.strip()) == {"-"}:
            blocks.append([])
        else:
            blocks[-1].append((line, text))
    return [_block(source, rows) for rows in blocks if rows]


def _block(source: Source, rows: Lines) -> Instance:
    keys: dict[str, Number] = {}
    name, items, item_lines = source.stem, [], []
    for line, text in rows:
        place = f"{source.where}, line {line}"
        if found := _KEY.match(text):
            keys[found[1]] = number(found[2], place, found[1])
        elif "," in text:
            words = [word.strip() for word in text.split(",")]
            if len(words) not in (3, 4):
                raise ParseError(f"{place}: {len(words)} columns; an item is `id,value,weight,taken`")
            if (place_of := whole(words[0], place, "id")) != len(items) + 1:
                raise ParseError(f"{place}: item {place_of} where item {len(items) + 1} is expected")
            items.append((number(words[1], place, "value"), number(words[2], place, "weight")))
            item_lines.append(line)
        elif not keys:
            name = text.strip()
        else:
            raise ParseError(f"{place}: {text.strip()[:30]!r} where an item `id,value,weight,taken` is expected")
    for key, what in (("n", "count of items"), ("c", "capacity")):
        if key not in keys:
            raise ParseError(f"{source.where}, line {rows[0][0]}: {name} has no line `{key}`, its {what}")
    if keys["n"] != len(items):
        raise ParseError(f"{source.where}, line {rows[-1][0]}: expected {keys['n']} items, found {len(items)}")
    best = [keys["z"]] if "z" in keys else []
    all_values, value_scale = scaled([*(value for value, _ in items), *best], source.where, "values")
    (*weights, capacity), scale = scaled([*(weight for _, weight in items), keys["c"]], source.where, "weights")
    values = all_values[: len(items)]
    optimum = all_values[-1] if best else None
    return Knapsack(values, weights, capacity, name, optimum, bool(best), scale, value_scale)  # type: ignore[arg-type]


def _write(instances: Sequence[Instance]) -> str:
    """z is the optimum: a value that is not proven is not written."""
    blocks = []
    for one in instances:
        assert isinstance(one, Knapsack)
        head = [one_line(one.name), f"n {one.size}", f"c {plain(one.capacity, one.scale)}"]
        if one.best is not None and one.proven:
            head.append(f"z {plain(one.best, one.value_scale)}")
        pairs = enumerate(zip(one.values.tolist(), one.weights.tolist(), strict=True), 1)
        items = [f"{index},{plain(value, one.value_scale)},{plain(weight, one.scale)}" for index, (value, weight) in pairs]
        blocks.append("\n".join([*head, *items, _RULE, ""]))
    return "\n".join(blocks)


PISINGER_CSV = Format(
    "pisinger-csv",
    "Pisinger's sets of knapsacks (a name, `n 50`, `c 995`, `z 8373`, then `id,value,weight,taken`)",
    ("knapsack",),
    (".csv",),
    _matches,
    _read,
    _write,
    many=True,
    names=True,
)
