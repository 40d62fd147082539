"""TSPLIB95: instances (.tsp, .atsp) and tours (.tour)."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.format import Declared, Format, Options
from datamodules.accord.formats.keyed import Keyed, comment_lines, is_keyed, keyed, places, size_of, stated_best, weights_text
from datamodules.accord.formats.numbers import Numbers
from datamodules.accord.formats.plans import one_line, value_of
from datamodules.accord.formats.source import Source, text_source
from datamodules.accord.instances import TSP, Instance
from datamodules.accord.solution import Plan

__all__ = ["TOUR", "TSPLIB", "type_of"]

_LENGTH = re.compile(r"(?:length|cost|value)\s*[:=]?\s*(\d+)|\((\d+)\)\s*$", re.IGNORECASE)
_TYPE = re.compile(r"^\s*TYPE\s*:?\s*([A-Za-z]+)", re.MULTILINE | re.IGNORECASE)


def type_of(text: str) -> str:
    """TSP of `TYPE: TSP (M.~Hofmeister)`."""
    found = _TYPE.search(text)
    return found[1].upper() if found else ""


def _matches(source: Source) -> bool:
    if not is_keyed(source.text):
        return False
    kind = type_of(source.text)
    return kind not in ("CVRP", "ACVRP", "TOUR") and (bool(kind) or "CAPACITY" not in source.text)


def _read(source: Source, options: Options) -> list[Instance]:
    kind = type_of(source.text)
    if kind not in ("TSP", "ATSP"):
        if not kind:
            raise ParseError(f"{source.where}: no TYPE; TSP, ATSP and CVRP are read")
        raise UnsupportedError(f"{source.where}: TYPE {kind} is not modelled; TSP, ATSP and CVRP are read: use OR-Tools for others")
    found = keyed(source, (), ())
    size = size_of(found)
    here = places(found, size, options.rounding)
    best, proven = stated_best(found, here.metric, here.scale)
    name = (found.get("NAME") or source.stem).removesuffix(".tsp")  # ulysses16.tsp calls itself so
    return [TSP(here.distances, here.xy, name, best, proven, here.scale, here.metric)]


def _write(instances: Sequence[Instance]) -> str:
    (instance,) = instances
    assert isinstance(instance, TSP)
    symmetric = bool((instance.distances == instance.distances.T).all())
    keys, rows = weights_text(instance.distances, instance.xy, instance.metric, instance.scale)
    head = [f"NAME : {one_line(instance.name)}", f"TYPE : {'TSP' if symmetric else 'ATSP'}"]
    head += [*comment_lines([], instance.best, instance.proven, instance.scale), f"DIMENSION : {instance.size}"]
    return "\n".join([*head, *keys, *rows, "EOF", ""])


def _is_tour(text: str) -> bool:
    return "TOUR_SECTION" in text


def _read_tour(text: str, instance: Instance) -> Declared:
    source = text_source(text)
    found = keyed(Source("the tour", "", "", source.text), (), ("TOUR_SECTION",))
    if "TOUR_SECTION" not in found.sections:
        raise ParseError(f"{found.where}: no TOUR_SECTION")
    size = size_of(found) if "DIMENSION" in found.values else instance.size
    if size != instance.size:
        raise InvalidInstanceError(f"{found.at('DIMENSION')}: DIMENSION {size}, the instance has {instance.size} nodes")
    numbers = Numbers(found.where, found.sections["TOUR_SECTION"])
    tour: list[int] = []
    while numbers.left:
        word, place = numbers.word("node")
        if word == "-1":
            break
        if not (word.isascii() and word.isdigit()):
            raise ParseError(f"{place}: {word[:30]!r} where a node from 1 to {size}, or -1, is expected")
        if not 1 <= int(word) <= size:
            raise InvalidInstanceError(f"{place}: node {word}; the instance has nodes 1 to {size}")
        tour.append(int(word) - 1)
    return tuple(tour), _declared(found)


def _declared(found: Keyed) -> int | None:
    said = _LENGTH.search(" ".join(found.comments))
    return int(said[1] or said[2]) if said else None


def _write_tour(instance: Instance, plan: Plan) -> str:
    """The length in the file is in the instance's integers, as TSPLIB has none other."""
    lines = [f"NAME : {one_line(instance.name)}.tour", "TYPE : TOUR", f"COMMENT : Length {value_of(instance, plan)}"]
    return "\n".join([*lines, f"DIMENSION : {instance.size}", "TOUR_SECTION", *(str(node + 1) for node in plan), "-1", "EOF", ""])


TSPLIB = Format(
    "tsplib",
    "TSPLIB (NAME, TYPE : TSP, DIMENSION, EDGE_WEIGHT_TYPE)",
    ("tsp",),
    (".tsp", ".atsp"),
    _matches,
    _read,
    _write,
    names=True,
)
TOUR = Format(
    "tour",
    "a tour of TSPLIB (TOUR_SECTION)",
    ("tsp",),
    (".tour",),
    is_solution=_is_tour,
    read_solution=_read_tour,
    write_solution=_write_tour,
)
