"""Instances and plans from files, members of archives, folders and texts, whatever their format is."""

from pathlib import Path

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.best_known import NAME as BEST_KNOWN
from datamodules.accord.formats.florida import is_part
from datamodules.accord.formats.format import Declared, Format, Options
from datamodules.accord.formats.located import located
from datamodules.accord.formats.numbers import Number, number, plain
from datamodules.accord.formats.source import Source, is_archive, open_source, sources, split_address, text_source
from datamodules.accord.formats.table import FORMATS
from datamodules.accord.formats.text_lines import Read
from datamodules.accord.instances import CVRP, KINDS, BinPacking, Instance, Knapsack
from datamodules.errors import DataError

__all__ = ["detect_format", "format_of", "is_aside", "read", "read_solution", "read_source", "read_stated"]

_ASK_CAPACITY = ("csv", "accord")  # their files may say none, and their readers compare it themselves


def read(
    path_or_text: str | Path,
    kind: str | None = None,
    rounding: str | None = None,
    capacity: Number | float | str | None = None,
    fleet: int | str | None = None,
) -> list[Instance]:
    """The instances of a file, an archive, a folder, or a text (which has a line break).

    path_or_text: FILE#3 and FILE#name mean one of several, scholl.tar#N1C1W1_A.BPP a member
    kind: where the numbers alone do not tell, or to be sure of it
    rounding: of distances from coordinates: nint, none, trunc1
    capacity: where the file has none
    fleet: most vehicles: a number, `name` (5 of A-n32-k5) or `free`

    >>> read("A-n32-k5.vrp", fleet="name")[0].fleet
    5
    """
    options = _options(kind, rounding, capacity, fleet)
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        return read_source(text_source(path_or_text), options)
    path, members = split_address(path_or_text)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    member = members.pop(0) if members and is_archive(path) else None
    several = path.is_dir() or (is_archive(path) and member is None)
    found: list[Instance] = []
    for source in sources(path, member):
        if not (several and is_aside(source)):
            found += read_source(source, options)
    for name in members:
        found = _pick(str(path), found, name)
    if not found:
        raise DataError(f"{path}: no instances")
    return found


def _options(kind: str | None, rounding: str | None, capacity: Number | float | str | None, fleet: int | str | None) -> Options:
    if kind is not None and kind not in KINDS:
        raise InvalidInstanceError(f"kind {kind!r} is not known; there are {', '.join(KINDS)}")
    if isinstance(fleet, str) and fleet not in ("free", "name"):
        if not fleet.isdigit():
            raise InvalidInstanceError(f"fleet {fleet!r} is not known; it is a number of vehicles, name or free")
        fleet = int(fleet)
    if isinstance(fleet, int) and fleet < 1:
        raise InvalidInstanceError(f"a fleet of {fleet}; at least 1 vehicle is needed")
    return Options(kind, rounding, None if capacity is None else number(str(capacity), "the option", "capacity"), fleet)


def format_of(source: Source, kind: str | None = None) -> Format:
    """The format that a source's content is of."""
    if not source.text.strip():
        raise ParseError(f"{source.where}: empty")
    known = [one for one in FORMATS.values() if one.read and (kind is None or kind in one.kinds)]
    for one in known:
        if one.matches and one.matches(source):
            return one
    if kind is not None and (other := next((one for one in FORMATS.values() if one.matches and one.matches(source)), None)):
        raise ParseError(f"{source.where}: {other.name}, which holds {' or '.join(other.kinds)}, not {kind}")
    for one in known:  # a broken file of a known suffix: its reader says what is wrong
        if source.suffix in one.suffixes and source.suffix != ".txt":
            return one
    if held := _solution_format(source):
        raise ParseError(f"{source.where}: a solution ({held.name}), no instance; give the instance, and this to --start or check")
    raise ParseError(f"{source.where}: not recognised; looked for {'; '.join(one.looks_for for one in known)}")


def detect_format(path: str | Path) -> str:
    """The name, in FORMATS, of what a file is; of an archive that of its first member that is known."""
    place, members = split_address(path)
    if not place.exists():
        raise DataError(f"{place}: no such file or folder")
    refusals = []
    for source in sources(place, members[0] if members and is_archive(place) else None):
        try:
            return format_of(source).name
        except DataError as error:
            refusals.append(str(error))
    raise ParseError(refusals[0] if refusals else f"{place}: nothing in it")


def is_aside(source: Source) -> bool:
    """What lies among instances without being one: a solution, the list of best values, the further files of a knapsack in four."""
    if source.file == BEST_KNOWN or _solution_format(source) is not None:
        return True
    return is_part(source) and not source.stem.endswith("_c")


def _solution_format(source: Source) -> Format | None:
    return next((one for one in FORMATS.values() if one.is_solution and one.is_solution(source.head)), None)


def read_source(source: Source, options: Options) -> list[Instance]:
    made = format_of(source, options.kind)
    assert made.read is not None
    with located(source.where):
        found = made.read(source, options)
        if options.kind is not None and (other := next((one for one in found if one.kind != options.kind), None)):
            raise ParseError(f"{source.where}: {other.name or made.name} is a {other.kind}, not a {options.kind}")
        return [_with_options(source, one, made, options) for one in found]


def _with_options(source: Source, one: Instance, made: Format, options: Options) -> Instance:
    """What was asked for beside the file; an option that this kind does not have is a mistake."""
    if options.rounding is not None and one.kind not in ("tsp", "cvrp"):
        raise InvalidInstanceError(f"{source.where}: rounding is for distances of tsp and cvrp, not for a {one.kind}: leave it out")
    if options.rounding not in (None, "nint") and made.name == "ours":
        raise InvalidInstanceError(f"{source.where}: its distances are given; rounding {options.rounding} does nothing: leave it out")
    if options.capacity is not None:
        if not isinstance(one, CVRP | Knapsack | BinPacking):
            raise InvalidInstanceError(f"{source.where}: a {one.kind} has no capacity: leave it out")
        if made.name not in _ASK_CAPACITY and options.capacity * (1 if isinstance(one, CVRP) else one.scale) != one.capacity:
            own = one.capacity if isinstance(one, CVRP) else plain(one.capacity, one.scale)
            raise InvalidInstanceError(
                f"{source.where}: its capacity is {own}, not {options.capacity}; leave --capacity out, or change the file"
            )
    if options.fleet is not None:
        if not isinstance(one, CVRP):
            raise InvalidInstanceError(f"{source.where}: a {one.kind} has no fleet: leave it out")
        if options.fleet == "name" and one.named_fleet is None:
            raise InvalidInstanceError(f"{source.where}: {one.name or 'it'} names no fleet (-k5); give a number of vehicles, or free")
        fleets = {"free": None, "name": one.named_fleet}
        one = one.with_fleet(fleets[options.fleet] if isinstance(options.fleet, str) else options.fleet)
    return one


def _pick(where: str, found: list[Instance], name: str) -> list[Instance]:
    """By name, or by position from 1."""
    named = [one for one in found if one.name == name]
    if len(named) == 1:
        return named
    if name.isdigit() and 1 <= int(name) <= len(found):
        return [found[int(name) - 1]]
    shown = ", ".join(one.name for one in found[:3])
    raise DataError(f"{where}: {len(found)} instances, none is {name!r}; give 1 to {len(found)} or a name, such as {shown}")


def read_solution(path: str | Path, instance: Instance) -> Declared:
    """(plan, the objective that the file claims): what it claims is told, never believed. A path, or a text (which has a line break)."""
    stated = read_stated(path, instance)
    return stated.plan, stated.declared


def read_stated(path: str | Path, instance: Instance, lenient: bool = False) -> Read:
    """As `read_solution`, with what else the text states and is not so as notes.

    lenient: of ACCORD's two texts, the lines of which stand among others
    """
    if isinstance(path, str) and "\n" in path:
        source = text_source(path, "the solution")
    else:
        place, members = split_address(path)
        if not place.exists():
            raise DataError(f"{place}: no such file")
        if members:
            raise DataError(f"{place}: a solution is chosen by its instance's name, not by #{members[0]}")
        source = open_source(place)
    known = [one for one in FORMATS.values() if one.is_solution and (one.read_stated or not lenient)]
    fit, where = _chatty_format(source) if lenient else _solution_format(source), source.where
    if not source.text.strip():
        raise ParseError(f"{where}: empty")
    if fit is None:
        raise ParseError(f"{where}: no solution that is known; looked for {'; '.join(one.looks_for for one in known)}")
    if instance.kind not in fit.kinds:
        raise ParseError(f"{where}: a solution of {' or '.join(fit.kinds)} ({fit.name}), the instance is a {instance.kind}")
    with located(where):
        if fit.read_stated is not None:
            return fit.read_stated(source.text, instance, lenient)
        assert fit.read_solution is not None
        return Read(*fit.read_solution(source.text, instance))


def _chatty_format(source: Source) -> Format | None:
    """Which of ACCORD's texts a line of it looks like."""
    texts = [one for one in FORMATS.values() if one.read_stated]
    return next((one for one in texts if any(one.is_solution and one.is_solution(line) for _, line in source.filled)), None)
