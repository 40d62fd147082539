"""The Florida State set of knapsacks, four files each: p01_c.txt the capacity, _w weights, _p profits, _s the best choice."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Number, Numbers, plain, scaled
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, Knapsack

__all__ = ["FLORIDA", "is_part"]

_PART = re.compile(r"(.+)_([cwps])(\.txt)?$")


def is_part(source: Source) -> bool:
    """One of the four, with the other three beside it (the choice may be missing)."""
    found = _PART.match(source.file)
    return found is not None and all(source.beside(f"{found[1]}_{part}{found[3] or ''}") is not None for part in "cwp")


def _read(source: Source, options: Options) -> list[Instance]:
    found = _PART.match(source.file)
    assert found is not None
    folder = source.where.removesuffix(source.file)
    held: dict[str, list[Number]] = {}
    for part, what in (("c", "capacity"), ("w", "weights"), ("p", "profits"), ("s", "choices")):
        name = f"{found[1]}_{part}{found[3] or ''}"
        if (text := source.beside(name)) is not None:
            numbers = Numbers(f"{folder}{name}", list(enumerate(text.splitlines(), 1)))
            held[part], _ = numbers.take(numbers.left, what)
    if len(held["c"]) != 1:
        raise ParseError(f"{folder}{found[1]}_c: {len(held['c'])} numbers; the capacity is one")
    if len(held["w"]) != len(held["p"]):
        raise InvalidInstanceError(f"{folder}{found[1]}_p: {len(held['p'])} profits of {len(held['w'])} weights")
    (*weights, capacity), scale = scaled([*held["w"], *held["c"]], f"{folder}{found[1]}_w", "weights")
    values, value_scale = scaled(held["p"], f"{folder}{found[1]}_p", "profits")
    best = None
    if "s" in held:
        if len(held["s"]) != len(weights) or not set(held["s"]) <= {0, 1}:
            raise InvalidInstanceError(f"{folder}{found[1]}_s: a 0 or 1 for each of the {len(weights)} items is needed")
        if sum(weight for weight, taken in zip(weights, held["s"], strict=True) if taken) > capacity:
            raise InvalidInstanceError(f"{folder}{found[1]}_s: what it takes is heavier than the capacity {held['c'][0]}")
        best = sum(value for value, taken in zip(values, held["s"], strict=True) if taken)
    stem = source.stem[:-2]
    return [Knapsack(values, weights, capacity, stem, best, best is not None, scale, value_scale)]  # type: ignore[arg-type]


def _write(instances: Sequence[Instance]) -> dict[str, str]:
    """Three files: the choice belongs to a solution."""
    (one,) = instances
    assert isinstance(one, Knapsack)
    return {
        "_c.txt": f"{plain(one.capacity, one.scale)}\n",
        "_w.txt": "".join(f"{plain(weight, one.scale)}\n" for weight in one.weights.tolist()),
        "_p.txt": "".join(f"{plain(value, one.value_scale)}\n" for value in one.values.tolist()),
    }


FLORIDA = Format(
    "florida",
    "the Florida State knapsacks (p01_c.txt with p01_w.txt, p01_p.txt and p01_s.txt beside it)",
    ("knapsack",),
    ("_c.txt",),
    is_part,
    _read,
    _write,
)
