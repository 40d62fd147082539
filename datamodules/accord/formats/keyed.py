"""The shape that TSPLIB and CVRPLIB share: lines of `KEY : VALUE`, and sections that end at the next key or EOF."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from datamodules.accord.distances import MANY, METRICS, entries, fill, matrix, rounded
from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.numbers import Numbers, plain, real, scaled, whole
from datamodules.accord.formats.refused import unmodelled
from datamodules.accord.formats.source import Source

__all__ = ["Keyed", "Places", "comment_lines", "is_keyed", "keyed", "places", "size_of", "stated_best", "weights_text"]

_KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*(?::\s*(.*?))?\s*$")
_COMMON = ("NAME", "COMMENT", "TYPE", "DIMENSION", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT", "NODE_COORD_TYPE", "DISPLAY_DATA_TYPE")
_SECTIONS = ("NODE_COORD_SECTION", "DISPLAY_DATA_SECTION", "EDGE_WEIGHT_SECTION")
_BEYOND = ("EUC_3D", "MAX_3D", "MAN_3D", "XRAY1", "XRAY2", "SPECIAL")  # weight types of TSPLIB that no file here has
_BEST = re.compile(r"\b(optimal|best)(?:\s+known)?\s+value\s*:?\s*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_KEY_AT_ALL = re.compile(r"^\s*(NAME|TYPE|DIMENSION|COMMENT)\s*:", re.MULTILINE)


@dataclass
class Keyed:
    where: str
    values: dict[str, tuple[str, int]] = field(default_factory=dict)  # of a key, and its line
    comments: list[str] = field(default_factory=list)
    sections: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)  # the line of a section's name

    def at(self, key: str) -> str:
        return f"{self.where}, line {self.values[key][1] if key in self.values else self.begins[key]}"

    def get(self, key: str) -> str | None:
        return self.values[key][0] if key in self.values else None


def is_keyed(text: str) -> bool:
    return _KEY_AT_ALL.search(text) is not None


def keyed(source: Source, keys: Collection[str], sections: Collection[str]) -> Keyed:
    """keys, sections: those of this format beside the common ones; any other is refused, as it may be a constraint"""
    found = Keyed(source.where)
    rows: list[tuple[int, str]] | None = None
    for line, text in source.lines:
        word = _KEY.match(text)
        if word is None:
            if rows is None and text.strip():
                raise ParseError(f"{source.where}, line {line}: {text.strip()[:30]!r} where KEY : VALUE is expected")
            if rows is not None and text.strip():
                rows.append((line, text))
            continue
        key, value = word[1].upper(), word[2]
        if key == "EOF":
            break
        if key.endswith("_SECTION"):
            _known(found, key, line, (*_SECTIONS, *sections))
            if key in found.sections:
                raise ParseError(f"{source.where}, line {line}: a second {key}")
            rows = found.sections[key] = [(line, value)] if value else []
            found.begins[key] = line
            continue
        if value is None:
            raise ParseError(f"{source.where}, line {line}: {text.strip()[:30]!r} where a number, or KEY : VALUE is expected")
        rows = None
        if key == "COMMENT":
            found.comments.append(value)
            continue
        _known(found, key, line, (*_COMMON, *keys))
        if key in found.values and found.values[key][0] != value:
            raise ParseError(f"{source.where}, line {line}: a second {key}; remove one")
        found.values[key] = (value, line)
    return found


def _known(found: Keyed, key: str, line: int, known: Collection[str]) -> None:
    if key in known:
        return
    place = f"{found.where}, line {line}"
    if key == "FIXED_EDGES_SECTION":
        raise UnsupportedError(f"{place}: {key} asks for edges that must be used, which is not modelled; use OR-Tools CP-SAT or LKH")
    if asked := unmodelled(key):
        raise UnsupportedError(f"{place}: {key} asks for {asked[0]}, which is not modelled; use {asked[1]}")
    raise UnsupportedError(f"{place}: {key} is not known, and may be a constraint; known are {', '.join(known)}")


def size_of(found: Keyed) -> int:
    """DIMENSION."""
    if "DIMENSION" not in found.values:
        raise ParseError(f"{found.where}: no DIMENSION; it says how many nodes there are")
    size = whole(found.values["DIMENSION"][0], found.at("DIMENSION"), "DIMENSION", 1)
    if size > MANY:
        raise UnsupportedError(f"{found.at('DIMENSION')}: {size:,} nodes; at most {MANY:,} are read: cut it into regions")
    return size


@dataclass(frozen=True)
class Places:
    distances: np.ndarray
    xy: np.ndarray | None
    metric: str
    scale: int


def places(found: Keyed, size: int, rounding: str | None) -> Places:
    """The distances, by the weight type that the file names and the rounding that a person asks for."""
    if "EDGE_WEIGHT_TYPE" not in found.values:
        raise ParseError(f"{found.where}: no EDGE_WEIGHT_TYPE; it says how distances come about (EUC_2D, EXPLICIT, ...)")
    kind, at = found.values["EDGE_WEIGHT_TYPE"][0].upper(), found.at("EDGE_WEIGHT_TYPE")
    if (found.get("NODE_COORD_TYPE") or "").upper() == "THREED_COORDS" or kind in _BEYOND:
        raise UnsupportedError(f"{at}: {kind} of TSPLIB is not read; write the distances as EXPLICIT")
    if kind == "EXPLICIT":
        if rounding not in (None, "nint"):
            raise InvalidInstanceError(f"{at}: rounding {rounding} is for EUC_2D coordinates; here the distances are given: leave it out")
        return _explicit(found, size)
    if kind not in METRICS or kind in ("real", "trunc1"):
        known = [name for name in METRICS if name.isupper()]
        raise ParseError(f"{at}: EDGE_WEIGHT_TYPE {kind!r} is not known; there are {', '.join(known)} and EXPLICIT")
    if "NODE_COORD_SECTION" not in found.sections:
        raise ParseError(f"{at}: {kind}, but there is no NODE_COORD_SECTION")
    metric, scale = rounded(kind, rounding)
    xy = _coordinates(found, "NODE_COORD_SECTION", size)
    return Places(matrix(xy, metric, scale), xy, metric, scale)


def _coordinates(found: Keyed, section: str, size: int) -> np.ndarray:
    xy = np.zeros((size, 2))
    seen: dict[int, int] = {}
    for line, text in found.sections[section]:
        place, words = f"{found.where}, line {line}", text.split()
        if len(words) != 3:
            raise ParseError(f"{place}: {len(words)} words; a node is `id x y`")
        node = whole(words[0], place, "node id", 0)
        if not 1 <= node <= size:
            raise InvalidInstanceError(f"{place}: node {node}; DIMENSION {size} has nodes 1 to {size}")
        if node in seen:
            raise InvalidInstanceError(f"{place}: node {node} is there twice, first in line {seen[node]}")
        seen[node] = line
        xy[node - 1] = [real(word, place) for word in words[1:]]
    if len(seen) != size:
        raise InvalidInstanceError(f"{found.at(section)}: {len(seen)} nodes, DIMENSION says {size}")
    return xy


def _explicit(found: Keyed, size: int) -> Places:
    if "EDGE_WEIGHT_SECTION" not in found.sections:
        raise ParseError(f"{found.at('EDGE_WEIGHT_TYPE')}: EXPLICIT, but there is no EDGE_WEIGHT_SECTION")
    layout = (found.get("EDGE_WEIGHT_FORMAT") or "").upper()
    if not layout:
        raise ParseError(f"{found.where}: no EDGE_WEIGHT_FORMAT; it says how the matrix is laid out (FULL_MATRIX, UPPER_ROW, ...)")
    try:
        needed = entries(size, layout)
    except ParseError as error:
        raise ParseError(f"{found.at('EDGE_WEIGHT_FORMAT')}: {error}") from None
    numbers = Numbers(found.where, found.sections["EDGE_WEIGHT_SECTION"])
    values, _ = numbers.take(needed, f"weights ({layout} of DIMENSION {size})")
    numbers.nothing_left(f"{layout} of DIMENSION {size} has")
    integers, scale = scaled(values, found.at("EDGE_WEIGHT_SECTION"), "weights")
    drawn = next((name for name in ("DISPLAY_DATA_SECTION", "NODE_COORD_SECTION") if name in found.sections), None)
    xy = None if drawn is None else _coordinates(found, drawn, size)
    return Places(fill(integers, size, layout), xy, "explicit", scale)


def stated_best(found: Keyed, metric: str, scale: int) -> tuple[int | None, bool]:
    """`Optimal value: 784` of a comment, in our integers; none where it was made with other distances than ours."""
    said = _BEST.search(" ".join(found.comments))
    if said is None:
        return None, False
    whole_part, _, digits = said[2].partition(".")
    value = int(whole_part + digits) * scale
    if value % 10 ** len(digits):
        return None, False
    value //= 10 ** len(digits)
    if (metric in ("real", "trunc1") and not digits) or (metric not in ("real", "trunc1", "explicit") and digits):
        return None, False  # brief 5.5: a best known value of another rounding is none
    exact = 10 ** len(digits) == scale
    return value, exact and said[1].lower() == "optimal"


def comment_lines(notes: list[str], best: int | None, proven: bool, scale: int) -> list[str]:
    """The COMMENT of a new file, in the words of CVRPLIB."""
    if best is not None:
        notes = [*notes, f"{'Optimal' if proven else 'Best'} value: {plain(best, scale)}"]
    return [f"COMMENT : ({', '.join(notes)})"] if notes else []


def weights_text(distances: np.ndarray, xy: np.ndarray | None, metric: str, scale: int) -> tuple[list[str], list[str]]:
    """(lines of keys, lines of sections): coordinates where they say all, else the matrix and the coordinates for the drawing."""
    nodes = [] if xy is None else [f"{node} {_coordinate(x)} {_coordinate(y)}" for node, (x, y) in enumerate(xy.tolist(), 1)]
    if xy is not None and metric in METRICS and metric.isupper() and scale == 1 and (matrix(xy, metric) == distances).all():
        return [f"EDGE_WEIGHT_TYPE : {metric}"], ["NODE_COORD_SECTION", *nodes]
    keys = ["EDGE_WEIGHT_TYPE : EXPLICIT", "EDGE_WEIGHT_FORMAT : FULL_MATRIX"]
    rows = ["EDGE_WEIGHT_SECTION", *(" ".join(plain(value, scale) for value in row) for row in distances.tolist())]
    if xy is not None:
        keys.append("DISPLAY_DATA_TYPE : TWOD_DISPLAY")
        rows += ["DISPLAY_DATA_SECTION", *nodes]
    return keys, rows


def _coordinate(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
