"""What the knapsacks' texts share: a line `value weight` for each item."""

from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.numbers import Number, number, plain, scaled
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Knapsack

__all__ = ["knapsack_lines", "knapsack_of"]


def knapsack_of(source: Source, rows: Sequence[tuple[int, str]], count: int, capacity: Number, notes: Sequence[str] = ()) -> Knapsack:
    """rows: those of the items, as many as there are"""
    if len(rows) != count:
        line = rows[-1][0] if rows else source.lines[-1][0]
        raise ParseError(f"{source.where}, line {line}: expected {count} items, found {len(rows)}")
    values, weights = [], []
    for line, text in rows:
        place, words = f"{source.where}, line {line}", text.split()
        if len(words) != 2:
            raise ParseError(f"{place}: {len(words)} words; an item is `value weight`")
        values.append(number(words[0], place, "value"))
        weights.append(number(words[1], place, "weight"))
    worth, value_scale = scaled(values, source.where, "values")
    (*sizes, held), scale = scaled([*weights, capacity], source.where, "weights")
    return Knapsack(worth, sizes, held, source.stem, scale=scale, value_scale=value_scale, notes=tuple(notes))  # type: ignore[arg-type]


def knapsack_lines(one: Knapsack) -> tuple[str, list[str]]:
    """(capacity, the items' lines)"""
    pairs = zip(one.values.tolist(), one.weights.tolist(), strict=True)
    items = [f"{plain(value, one.value_scale)} {plain(weight, one.scale)}" for value, weight in pairs]
    return plain(one.capacity, one.scale), items
