"""Round trips (tsp) and deliveries (cvrp) from a text: coordinates, a matrix, or distances told pair by pair."""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.accord.front import demands as asked
from apps.accord.front.blocks import Blocks
from apps.accord.front.capacity import announced, capacity, fleet, left_over
from apps.accord.front.draft import Draft, scaled
from apps.accord.front.matrices import beside_names, matrices
from apps.accord.front.numbers import Number
from apps.accord.front.pairs import pair_distances, square
from apps.accord.front.records import json_value, rows_of, tuples_of
from apps.accord.front.tuples import groups, leaves, numeric_list
from datamodules.accord.distances import REAL_SCALE, matrix
from datamodules.accord.errors import UnsupportedError
from datamodules.accord.instances import CVRP, TSP

__all__ = ["cvrp", "tsp"]

_BACK = re.compile(
    r"\b(?:(?:back|return\w*|home|come|comes|coming) (?:\w+ ){0,2}?(?:to|at|in)|(?:start|begin|depart|leave|end"
    r"|finish|stop)\w*"
    r"(?: and (?:end|finish|stop|return)\w*)? (?:\w+ )?(?:at|in|from|to))"
    r"\s*(?:the )?(?:depot|start|origin|home|point|city|place)?\s*(?:at )?$",
    re.I,
)
NODES = r"cities|nodes|places|points|locations|towns|stops|sites|holes"
THING = r"city|node|customer|client|stop|town|point|place|site|location|shop|C|c"
CUSTOMERS = r"customers|clients|stops|shops|deliveries|households|addresses|stores"


@dataclass
class _Places:
    names: list[str]
    xy: list[tuple[Number, Number]] = field(default_factory=list)
    far: list[list[Number | None]] = field(default_factory=list)
    demands: dict[int, Number] = field(default_factory=dict)
    depot: int | None = None
    marks: list[tuple[int, int]] = field(default_factory=list)  # where each stands in the marked text


def tsp(draft: Draft, blocks: Blocks) -> TSP | None:
    places = _places(draft, blocks)
    if not places.names:
        draft.lack("coordinates of the places, or the distances between them")
        return None
    announced(draft, NODES, len(places.names), "places")
    _take(draft, places)
    if draft.missing:
        return None
    made = _distances(draft, places, list(range(len(places.names))))
    return TSP(**made, notes=_notes(places.names))


def cvrp(draft: Draft, blocks: Blocks) -> CVRP | None:
    held = json_value(blocks, "capacity")
    held = draft.take(held, "capacity") if isinstance(held, Number) else capacity(draft, "capacity of a vehicle")
    most = json_value(blocks, "fleet")
    most = draft.take(most, "vehicles") if isinstance(most, Number) else fleet(draft)
    places = _places(draft, blocks)
    if not places.names:
        draft.lack("coordinates of the places, or the distances between them")
        return None
    loads = _loads(draft, blocks, places)
    if places.depot is None:
        draft.lack("depot: say which place it is")
    announced(draft, CUSTOMERS, len(places.names) - 1, "customers")
    _take(draft, places)
    for k, load in loads.items():
        draft.take(load, f"demand of {places.names[k]}")
    held = held or left_over(draft, list(loads.values()), "capacity of a vehicle")
    if draft.missing or held is None or places.depot is None:
        return None
    order = [places.depot, *(k for k in range(len(places.names)) if k != places.depot)]
    weights, size = scaled([*(loads[k] for k in order[1:]), held])
    notes = (*_notes([places.names[k] for k in order]), *([f"demands and capacity are times {size}"] if size > 1 else []))
    made = _distances(draft, places, order)
    return CVRP(**made, demands=np.array([0, *weights[:-1]]), capacity=weights[-1], fleet=int(most.value) if most else None, notes=notes)


def _places(draft: Draft, blocks: Blocks) -> _Places:
    for read in (_from_blocks, _from_pairs, _from_matrix, _from_brackets):
        found = read(draft, blocks)
        if found.names:
            return found
    return _Places([])


def _from_blocks(draft: Draft, blocks: Blocks) -> _Places:
    if rows := rows_of(blocks, {"x", "y"}):
        names = [_name(row.get("name"), k) for k, row in enumerate(rows)]
        found = _Places(names, [(row["x"], row["y"]) for row in rows if isinstance(row["x"], Number) and isinstance(row["y"], Number)])
        found.demands = {k: row["demand"] for k, row in enumerate(rows) if isinstance(row.get("demand"), Number)}  # type: ignore[misc]
        found.depot = next((k for k, name in enumerate(names) if re.search(asked.DEPOT, name, re.I)), None)
        return found
    if rows := rows_of(blocks, {"from", "to", "distance"}):
        told = {(_name(row["from"], 0), _name(row["to"], 0)): row["distance"] for row in rows if isinstance(row["distance"], Number)}
        return _named(draft, told)
    if _pairs_of(points := json_value(blocks, "coordinates")):
        return _Places([str(k) for k in range(len(points))], [(one[0], one[1]) for one in points])
    far = json_value(blocks, "distances")
    if isinstance(far, list) and far and all(isinstance(row, list) and len(row) == len(far) for row in far):
        return _Places([str(k) for k in range(len(far))], far=far)
    for table in blocks.tables:  # names above and beside a square of numbers
        beside = [row[0] for row in table.rows]
        if [str(cell) for cell in beside] == table.header[1:]:
            return _Places(table.header[1:], far=[[c if isinstance(c, Number) else None for c in row[1:]] for row in table.rows])
    return _Places([])


def _pairs_of(points: Any) -> bool:
    return isinstance(points, list) and bool(points) and all(isinstance(one, list) and len(one) == 2 for one in points)


def _name(cell: Number | str | None, k: int) -> str:
    return f"{cell.value:f}" if isinstance(cell, Number) else (cell or str(k))


def _from_pairs(draft: Draft, blocks: Blocks) -> _Places:
    told = pair_distances(draft)
    if not told:
        return _Places([])
    found, drawn = _named(draft, told), _from_brackets(draft, blocks)
    if sorted(drawn.names) == sorted(found.names) and drawn.xy:  # where they lie is for drawings; the distances told rule
        found.xy = [drawn.xy[drawn.names.index(name)] for name in found.names]
        found.marks = [drawn.marks[drawn.names.index(name)] for name in found.names]
    return found


def _named(draft: Draft, told: dict[tuple[str, str], Number]) -> _Places:
    names = list(dict.fromkeys(name for pair in told for name in pair))
    if all(re.fullmatch(r"\d+", name) for name in names):
        names.sort(key=int)
    found = _Places(names, far=square(draft, names, told))
    found.depot = next((k for k, name in enumerate(names) if re.search(asked.DEPOT, name, re.I)), None)
    if found.depot is None:
        match = re.search(
            rf"\b{asked.DEPOT}\s+(?:(?:is|=|being|:|at|in)\s*)?(?:node\s|city\s)?(#\d+#|[A-Z]\w*)"
            rf"|(#\d+#|\b[A-Z]\w*)\s+(?:is|as|being|=)\s+(?:the|our)\s+{asked.DEPOT}",
            draft.marked,
        )
        said = (match[1] or match[2]) if match else ""
        if mark := re.fullmatch(r"#(\d+)#", said):
            said = f"{draft.take(mark[1], 'node of the depot').value:f}"
        found.depot = names.index(said) if said in names else None
    return found


def _from_matrix(draft: Draft, blocks: Blocks) -> _Places:
    if rows := beside_names(draft):
        return _Places([name for name, _ in rows], far=[list(row) for _, row in rows])
    if points := _columns(draft) or _lines(draft):
        return _Places([str(k) for k in range(len(points))], points)
    for rows in matrices(draft):
        if len(rows) == len(rows[0]) and (len(rows) > 2 or re.search(r"matrix|distances?\b|travel times?", draft.marked, re.I)):
            far: list[list[Number | None]] = [list(row) for row in rows]
            diagonal = all(rows[k][k].value == 0 for k in range(len(rows)))
            if diagonal or re.search(r"matrix", draft.marked, re.I):
                found = _Places([str(k) for k in range(len(rows))], far=far)
                found.depot = asked.depot_at(draft, [(0, 0)] * len(rows))
                return found
    return _Places([])


def _columns(draft: Draft) -> list[tuple[Number, Number]]:
    """x = 0, 3, 6; y = 0, 4, 1."""
    x, y = (
        [one for one in numeric_list(draft.marked, rf"(?<![\w,(]){axis}(?:[ -]?coordinates?)?\s*[:=]?") if len(one) > 2] for axis in "xy"
    )
    if len(x) != 1 or len(y) != 1 or len(x[0]) != len(y[0]):
        return []
    return [(draft.numbers[a], draft.numbers[b]) for a, b in zip(x[0], y[0], strict=True)]


def _lines(draft: Draft) -> list[tuple[Number, Number]]:
    """Lines of two numbers each, three at least."""
    rows = next((rows for rows in matrices(draft) if len(rows) > 2 and len(rows[0]) == 2), [])
    brackets = any(group.marks for group in leaves(groups(draft.marked)))
    return [] if brackets else [(row[0], row[1]) for row in rows]


def _from_brackets(draft: Draft, blocks: Blocks) -> _Places:
    rows, _ = tuples_of(draft, {"x", "y"})
    found_groups = [group for group in leaves(groups(draft.marked)) if len(group.marks) >= 2]
    if not found_groups:
        return _Places([])
    width = len(found_groups[0].marks)
    same = [group for group in found_groups if len(group.marks) == width and all(word.lower() in "xy=:;," for word in group.words)]
    if rows and len(rows) == len(same):
        pairs = [(row["x"], row["y"]) for row in rows]
        demands = {k: row["demand"] for k, row in enumerate(rows) if isinstance(row.get("demand"), Number)}
    elif width == 2 or (rows and width == 2):
        pairs, demands = [(draft.numbers[group.marks[0]], draft.numbers[group.marks[1]]) for group in same], {}
    else:
        if width > 2:
            draft.lack("what the numbers of a bracket are: write (x, y) or (x, y, demand) before them")
        return _Places([])
    marks = [(group.start, group.end) for group in same]
    if twice := _again(draft, marks, pairs):
        same, pairs = ([one for k, one in enumerate(row) if k not in twice] for row in (same, pairs))
        marks = [mark for k, mark in enumerate(marks) if k not in twice]
        demands = {k - sum(t < k for t in twice): load for k, load in demands.items() if k not in twice}
    found = _Places([_label(draft, marks, k) for k in range(len(same))], pairs, demands=demands, marks=marks)  # type: ignore[arg-type]
    found.depot = asked.depot_at(draft, marks)
    return found


def _again(draft: Draft, marks: list[tuple[int, int]], pairs: list[Any]) -> list[int]:
    """Brackets that name a place once more: where the tour comes back to its first place (taken here), or what is not understood. Two
    places may lie at one point: in one list, or under names of their own."""
    ends = [match.start() for match in re.finditer(r"[.!?](?=\s)|\n", draft.marked)]
    first: dict[tuple[Any, Any], int] = {}
    twice = []
    for k, pair in enumerate(pairs):
        k0 = first.setdefault((pair[0].value, pair[1].value), k)
        if k0 == k:
            continue
        back = _BACK.search(draft.marked[max(0, marks[k][0] - 50) : marks[k][0]])
        label = _label(draft, marks, k)
        if back and k0 == 0:
            for number in pair:
                draft.take(number, "place to come back to")
            twice.append(k)
        elif back or (bisect_left(ends, marks[k][0]) != bisect_left(ends, marks[k0][0]) and label in (str(k), _label(draft, marks, k0))):
            draft.lack(f"what is meant by ({pair[0].value:f}, {pair[1].value:f}), which is told once more")
    return twice


def _label(draft: Draft, marks: list[tuple[int, int]], k: int) -> str:
    """The word before a bracket: Bonn (3, 4), customer 3 at (3, 4), (3): (3, 4); its number in order where there is none."""
    before = draft.marked[max(marks[k - 1][1] if k else 0, marks[k][0] - 40) : marks[k][0]]
    match = re.search(
        rf"(?:(?:{THING})\s+(#\d+#)|\((#\d+#)\)|([A-Z][\w']*)|(?:^|[,;\n]\s*)(#\d+#)(?=\s*[:=]))\s*(?:at"
        rf"|is at|is|=|:|lies at|located at)?\s*$",
        before,
    )
    if not match:
        return str(k)
    mark = re.search(r"#(\d+)#", match[0])
    if mark:
        return f"{draft.take(mark[1], 'id of a place').value:f}"
    return str(k) if re.fullmatch(rf"(?:{NODES}|{CUSTOMERS}|coordinates|at|and|depot|the|through|visit)", match[3], re.I) else match[3]


def _loads(draft: Draft, blocks: Blocks, places: _Places) -> dict[int, Number]:
    """The demand of every place but the depot; what is not there is missing."""
    count, loads = len(places.names), dict(places.demands)
    listed = json_value(blocks, "demand")
    series = listed if isinstance(listed, list) and all(isinstance(one, Number) for one in listed) else None
    if not loads and series is None:
        series = asked.row(draft, count)
    if not loads and series is not None and len(series) in (count, count - 1):
        whole = len(series) == count
        if whole and places.depot is None and [k for k in range(count) if series[k].value == 0] == [0]:
            places.depot = 0  # the one that asks for nothing
        others = [k for k in range(count) if whole or k != (places.depot or 0)]
        loads = dict(zip(others, series, strict=True))
    if not loads and places.marks:
        loads = asked.before(draft, places.marks)
        loads = loads if len(loads) >= count - 1 else asked.beside(draft, places.marks)
        if places.depot is not None:  # what stands behind the depot is no load of it
            loads.pop(places.depot, None)
    if not loads:
        told = asked.named(draft, places.names)
        loads = {k: told[name] for k, name in enumerate(places.names) if name in told}
    if (
        places.depot is None
        and [k for k in range(count) if k not in loads or loads[k].value == 0] == [0]
        and re.search(asked.DEPOT, draft.text, re.I)
    ):
        places.depot = 0
    if places.depot is None and places.marks:
        places.depot = asked.left_out(draft, places.marks, loads)
    depot = loads.pop(places.depot, None) if places.depot is not None else None
    if depot is not None:
        draft.take(depot, "demand of the depot")
        if depot.value != 0:
            draft.lack(f"a depot without demand: it asks for {depot.value:f}")
    lacking = [name for k, name in enumerate(places.names) if k not in loads and k != places.depot]
    if lacking:
        draft.lack(f"demand of {', '.join(lacking[:4])}{' and more' if len(lacking) > 4 else ''}" if loads else "demand of each customer")
    return loads


def _take(draft: Draft, places: _Places) -> None:
    for name, pair in zip(places.names, places.xy, strict=False):
        for axis, number in zip("xy", pair, strict=True):
            draft.take(number, f"{axis} of {name}")
    for a, row in zip(places.names, places.far, strict=False):
        for b, number in zip(places.names, row, strict=True):
            if number is not None:
                draft.take(number, f"distance {a} to {b}")


def _distances(draft: Draft, places: _Places, order: list[int]) -> dict[str, Any]:
    xy = np.array([[float(number.value) for number in places.xy[k]] for k in order]) if places.xy else None
    if xy is not None and not places.far:
        metric, scale = _metric(draft, xy)
        return {"distances": matrix(xy, metric, scale), "xy": xy, "metric": metric, "scale": scale}
    flat = [number for row in places.far for number in row if number is not None]
    values, scale = scaled(flat)
    by_place = dict(zip(((n.start, n.end) for n in flat), values, strict=True))
    far = [[0 if i == j or (n := places.far[i][j]) is None else by_place[n.start, n.end] for j in order] for i in order]
    return {"distances": far, "xy": xy, "scale": scale}


def _metric(draft: Draft, xy: np.ndarray) -> tuple[str, int]:
    """Straight lines, not rounded, unless the text says otherwise."""
    if re.search(r"manhattan|city[- ]block|taxicab|rectilinear", draft.text, re.I):
        if (xy != np.rint(xy)).any():
            raise UnsupportedError(
                "Manhattan distances of places that are not whole numbers would be rounded; multiply the coordinates by ten"
            )
        return "MAN_2D", 1
    if re.search(r"rounded (?:up|down)|\bceil\w*|chebyshev|haversine|great[- ]circle", draft.text, re.I):
        raise UnsupportedError("these distances are not computed from coordinates; give the matrix of distances")
    if re.search(r"rounded|nearest (?:integer|whole)|EUC_2D|whole distances|integer distances", draft.text, re.I):
        return "EUC_2D", 1
    return "real", REAL_SCALE


def _notes(names: list[str]) -> tuple[str, ...]:
    """Names of places are kept where they are more than a count."""
    return () if names == [str(k) for k in range(len(names))] else (f"places in order: {', '.join(names)}",)
