"""BPPLIB's and Scholl's bin packing (.BPP): the count of items, the capacity, and a size in each line."""

from collections.abc import Sequence

from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Numbers, fits, plain, scaled
from datamodules.accord.formats.shape import first_widths
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import BinPacking, Instance

__all__ = ["BPPLIB"]


def _matches(source: Source) -> bool:
    return source.suffix == ".bpp" or (source.suffix not in (".kp", ".csp") and first_widths(source) == [1, 1, 1])


def _read(source: Source, options: Options) -> list[Instance]:
    numbers = Numbers(source.where, source.filled)
    count, capacity = numbers.whole("count of items"), numbers.number("capacity")
    sizes, lines = numbers.take(count, "sizes")
    numbers.nothing_left(f"the {count} sizes that the first line says")
    (*weights, held), scale = scaled([*sizes, capacity], source.where, "sizes")
    fits(source.where, weights, lines, held, "item", "a bin")
    return [BinPacking(weights, held, source.stem, scale=scale)]  # type: ignore[arg-type]


def _write(instances: Sequence[Instance]) -> str:
    """With the line ends that the set has."""
    (one,) = instances
    assert isinstance(one, BinPacking)
    return "\r\n".join([str(one.size), *(plain(size, one.scale) for size in [one.capacity, *one.weights.tolist()]), ""])


BPPLIB = Format(
    "bpplib",
    "BPPLIB (.bpp: the count, the capacity and the sizes, one a line)",
    ("binpack",),
    (".bpp",),
    _matches,
    _read,
    _write,
)
