"""BPPLIB's cutting-stock dialect (.csp): the count of types, the capacity, and `size count` of each type."""

from collections.abc import Sequence
from itertools import groupby

from datamodules.accord.errors import ParseError, UnsupportedError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.kplib import has_gap
from datamodules.accord.formats.numbers import Numbers, fits, number, plain, scaled, whole
from datamodules.accord.formats.shape import first_widths
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import BinPacking, Instance

__all__ = ["CUTTING_STOCK"]

MANY = 1_000_000  # items; a count may be any number, and each item is one record


def _matches(source: Source) -> bool:
    return source.suffix == ".csp" or (source.suffix != ".kp" and first_widths(source) == [1, 1, 2] and not has_gap(source))


def _read(source: Source, options: Options) -> list[Instance]:
    if source.suffix != ".csp" and options.kind is None:
        raise ParseError(
            f"{source.where}: a count, a capacity and pairs, which a knapsack's `value weight` and a cutting stock's `size count` both are; "
            "say the kind, knapsack or binpack, or name the file .kp or .csp"
        )
    numbers = Numbers(source.where, source.filled[:2])
    types, capacity = numbers.whole("count of types"), numbers.number("capacity")
    rows = source.filled[2:]
    if len(rows) != types:
        raise ParseError(f"{source.where}, line {(rows or source.filled)[-1][0]}: expected {types} types, found {len(rows)}")
    sizes, lines = [], []
    for line, text in rows:
        place, words = f"{source.where}, line {line}", text.split()
        if len(words) != 2:
            raise ParseError(f"{place}: {len(words)} words; a type is `size count`")
        count = whole(words[1], place, "count")
        if len(sizes) + count > MANY:
            raise UnsupportedError(f"{place}: more than {MANY:,} items; that is a cutting stock for column generation, not for packing")
        sizes += [number(words[0], place, "size")] * count
        lines += [line] * count
    (*weights, held), scale = scaled([*sizes, capacity], source.where, "sizes")
    fits(source.where, weights, lines, held, "item", "a bin")
    return [BinPacking(weights, held, source.stem, scale=scale)]  # type: ignore[arg-type]


def _write(instances: Sequence[Instance]) -> str:
    """Equal sizes are joined only where they stand together, so that the items keep their numbers."""
    (one,) = instances
    assert isinstance(one, BinPacking)
    runs = [f"{plain(size, one.scale)}\t{len(list(held))}" for size, held in groupby(one.weights.tolist())]
    return "\n".join([str(len(runs)), plain(one.capacity, one.scale), *runs, ""])


CUTTING_STOCK = Format(
    "cutting-stock",
    "BPPLIB's cutting stock (.csp: the count of types, the capacity, `size count` of each)",
    ("binpack",),
    (".csp",),
    _matches,
    _read,
    _write,
)
