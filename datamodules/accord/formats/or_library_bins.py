"""OR-Library's bin packing: how many problems; of each a line with its name, `capacity items best`, and the sizes."""

from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.numbers import Numbers, fits, plain, scaled
from datamodules.accord.formats.plans import one_line
from datamodules.accord.formats.shape import is_numeric
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import BinPacking, Instance

__all__ = ["OR_LIBRARY_BINS"]


def _matches(source: Source) -> bool:
    lines = [line for _, line in source.filled[:4]]
    if len(lines) < 3 or not all(is_numeric(lines[at]) for at in (0, 2)):
        return False
    return [len(line.split()) for line in lines[:3]] == [1, 1, 3]


def _read(source: Source, options: Options) -> list[Instance]:
    numbers = Numbers(source.where, source.filled)
    count = numbers.whole("count of problems", least=1)
    found = [_one(source, numbers, index + 1, count) for index in range(count)]
    if numbers.left:
        raise ParseError(f"{numbers.place}: more than the {count} problems that the first line says")
    return found


def _one(source: Source, numbers: Numbers, index: int, count: int) -> Instance:
    if not numbers.left:
        raise ParseError(f"{numbers.place}: expected {count} problems, found {index - 1}; the first line says how many there are")
    name, _ = numbers.word("name")
    place = numbers.place
    capacity, items, best = numbers.number("capacity"), numbers.whole("count of items", least=0), numbers.whole("best known count of bins")
    sizes, lines = numbers.take(items, "sizes")
    (*weights, held), scale = scaled([*sizes, capacity], place, "sizes")  # 100.0 and 49.8 of the triplets: scale 10
    fits(source.where, weights, lines, held, "item", "a bin")
    return BinPacking(weights, held, name, best or None, False, scale)  # type: ignore[arg-type]


def _write(instances: Sequence[Instance]) -> str:
    lines = [f" {len(instances)}"]
    for one in instances:
        assert isinstance(one, BinPacking)
        lines += [f" {one_line(one.name).replace(' ', '_') or '-'} ", f" {plain(one.capacity, one.scale)} {one.size} {one.best or 0}"]
        lines += [plain(size, one.scale) for size in one.weights.tolist()]
    return "\n".join([*lines, ""])


OR_LIBRARY_BINS = Format(
    "or-library-bins",
    "OR-Library's bin packing (the count; of each problem its name, `capacity items best` and the sizes)",
    ("binpack",),
    (".txt",),
    _matches,
    _read,
    _write,
    many=True,
    names=True,
)
