"""ACCORD's text of an instance: one line of instruction, which says the capacity, then the input (section 2.1 of the brief).

| kind | input |
| --- | --- |
| knapsack | `[[value, weight], ...]` |
| binpack | `[(id, weight), ...]`, ids from 0 |
| jssp | `J0:`, then `M0:3 M1:2` in the order of processing; jobs and machines from 0 |
| pfsp | the same, but `J1:` and `M1:2 M2:3`, from 1 |
| tsp, cvrp | `coordinates: (0): (0, 0), (1): (3, 4)` (where there are any), `distances : (0):(1)=5, ...`; node 0 is the depot |

ours: cvrp has a third line, `demands : (1)=3, ...`; the released texts have none. One-way distances are written in both directions.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import numpy as np

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.located import located
from datamodules.accord.formats.numbers import number, plain, scaled
from datamodules.accord.formats.text_lines import COORDINATE, NUMBER, coordinate
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack

__all__ = ["coordinates_text", "distances_text", "input_of", "instruction_of", "read_instance", "write_instance"]

WHAT = "the input text"

# A line that begins so belongs to the input; if it does not match it is an error, not an instruction.
_OWN = re.compile(r"\[|J\d|M\d|coordinates|distances|demands", re.IGNORECASE)
_ENTRY = rf"\((\d{{1,9}})\):\((\d{{1,9}})\)=({NUMBER})"
_POINT = rf"(?:\((\d{{1,9}})\):\s*)?[(\[]\s*({COORDINATE}),\s*({COORDINATE})\s*[)\]]"

Lines = list[tuple[int, str]]


def write_instance(instance: Instance) -> str:
    return f"{instruction_of(instance)}\n{input_of(instance)}\n"


def read_instance(text: str, kind: str, capacity: float | None = None, fleet: int | None = None) -> Instance:
    """capacity, fleet: where the text does not say them. A number that is missing is an error, and is never made up."""
    if kind not in KINDS:
        raise ParseError(f"{WHAT}: kind {kind!r} is not known; there are {', '.join(KINDS)}")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    own = [at for at, (_, line) in enumerate(lines) if _OWN.match(line)]
    if not own:
        raise ParseError(f"{WHAT} of a {kind} is not there; {_EXAMPLES[kind]!r} would be its first line")
    said = " ".join(line for _, line in lines[: own[0]])
    with located(WHAT):
        return _READERS[kind](lines[own[0] :], said, capacity, fleet)


def instruction_of(instance: Instance) -> str:
    """What is to be done, with the numbers that the input does not hold."""
    if isinstance(instance, TSP):
        return f"Find the shortest tour through {instance.size} cities that ends where it begins."
    if isinstance(instance, CVRP):
        fleet = "" if instance.fleet is None else f" with at most {instance.fleet} vehicles"
        holds = f"Vehicle capacity: {instance.capacity}"
        return f"Find the shortest routes from depot 0 that serve {instance.size} customers{fleet}. {holds}."
    if isinstance(instance, Knapsack):
        return f"Choose the items of the greatest total value. Knapsack capacity: {plain(instance.capacity, instance.scale)}."
    if isinstance(instance, BinPacking):
        return f"Pack all items into as few bins as possible. Bin capacity: {plain(instance.capacity, instance.scale)}."
    if isinstance(instance, FlowShop):
        jobs, machines = instance.times.shape
        return f"Find the order of {jobs} jobs on {machines} machines, the same on all, so that they are done as early as possible."
    return (
        f"Schedule {instance.size} jobs on {instance.machines} machines, each in its own order, so that all are done as early as possible."
    )


def input_of(instance: Instance) -> str:
    if isinstance(instance, TSP | CVRP):
        lines = [] if instance.xy is None else [f"coordinates: {coordinates_text(instance)}"]
        lines.append(f"distances : {distances_text(instance)}")
        if isinstance(instance, CVRP):
            lines.append(f"demands : {', '.join(f'({i})={q}' for i, q in enumerate(instance.demands.tolist()) if i)}".rstrip())
        return "\n".join(lines)
    if isinstance(instance, Knapsack):
        pairs = zip(instance.values.tolist(), instance.weights.tolist(), strict=True)
        return f"[{', '.join(f'[{plain(v, instance.value_scale)}, {plain(w, instance.scale)}]' for v, w in pairs)}]"
    if isinstance(instance, BinPacking):
        return f"[{', '.join(f'({i}, {plain(w, instance.scale)})' for i, w in enumerate(instance.weights.tolist()))}]"
    if isinstance(instance, FlowShop):
        return _shop_text([list(enumerate(row)) for row in instance.times.tolist()], 1, instance.scale)
    return _shop_text(instance.jobs, 0, instance.scale)


def coordinates_text(instance: TSP | CVRP) -> str:
    points = [] if instance.xy is None else instance.xy.tolist()
    return ", ".join(f"({i}): ({coordinate(x)}, {coordinate(y)})" for i, (x, y) in enumerate(points))


def distances_text(instance: TSP | CVRP) -> str:
    d = instance.distances
    both = not (d == d.T).all()
    pairs = [(i, j) for i, j in permutations(range(len(d)), 2) if both or i < j] or [(0, 0)]
    return ", ".join(f"({i}):({j})={plain(int(d[i, j]), instance.scale)}" for i, j in pairs)


def _shop_text(jobs: Sequence[Sequence[tuple[int, int]]], first: int, scale: int) -> str:
    lines = []
    for job, operations in enumerate(jobs, first):
        lines += [f"J{job}:", " ".join(f"M{machine + first}:{plain(time, scale)}" for machine, time in operations)]
    return "\n".join(lines)


def _said(said: str, pattern: str, given: float | None, what: str) -> Decimal | None:
    """A number of the instruction; if it is said twice, it must be the same, and the given one, too."""
    stated = {Decimal(value) for value in re.findall(pattern, said, re.IGNORECASE)}
    if given is not None:
        stated.add(Decimal(int(given)) if given == int(given) else Decimal(str(given)))  # 10.0 has no decimals
    if len(stated) > 1:
        raise ParseError(f"{WHAT}: the {what} is said to be {' and '.join(map(str, sorted(stated)))}; only one can be meant")
    return stated.pop() if stated else None


def _capacity(said: str, given: float | None) -> Decimal:
    capacity = _said(said, rf"\bcapacity(?:\s+is\s+|\s+of\s+|\s*[:=]\s*|\s+)({NUMBER})", given, "capacity")
    if capacity is None:
        raise ParseError(f"{WHAT} says no capacity; write 'capacity: NUMBER' before the input, or give capacity")
    return capacity


def _one_line(lines: Lines, pattern: str, example: str) -> str:
    """The input is a single line that matches."""
    for at, (place, line) in enumerate(lines):
        if at or not re.fullmatch(pattern, line):
            raise ParseError(f"{WHAT}, line {place}: {line[:60]!r}; the input is one line like {example!r}")
    return lines[0][1]


def _read_knapsack(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> Knapsack:
    item = rf"\[{NUMBER}, {NUMBER}\]"
    line = _one_line(lines, rf"\[(?:{item}(?:, {item})*)?\]", _EXAMPLES["knapsack"])
    pairs = [(number(v, WHAT), number(w, WHAT)) for v, w in re.findall(rf"\[({NUMBER}), ({NUMBER})\]", line)]
    values, value_scale = scaled([v for v, _ in pairs], WHAT, "values")
    (holds, *weights), scale = scaled([_capacity(said, capacity), *(w for _, w in pairs)], WHAT, "weights")
    return Knapsack(np.array(values), np.array(weights), holds, scale=scale, value_scale=value_scale)


def _read_bins(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> BinPacking:
    item = rf"\(\d{{1,9}}, {NUMBER}\)"
    line = _one_line(lines, rf"\[(?:{item}(?:, {item})*)?\]", _EXAMPLES["binpack"])
    pairs = re.findall(rf"\((\d{{1,9}}), ({NUMBER})\)", line)
    for at, (name, _) in enumerate(pairs):
        if int(name) != at:
            raise ParseError(f"{WHAT}: item {name} in place {at}; items are counted from 0 without a gap")
    (holds, *weights), scale = scaled([_capacity(said, capacity), *(number(w, WHAT) for _, w in pairs)], WHAT, "sizes")
    return BinPacking(np.array(weights), holds, scale=scale)


def _jobs(lines: Lines, first: int) -> tuple[list[list[tuple[int, int]]], int]:
    """(machine, time) of each operation, machines counted from `first`."""
    rows: list[list[tuple[int, str]]] = []
    for at, (place, line) in enumerate(lines):
        pattern, example = (
            (r"J\d{1,9}:", f"J{first + at // 2}:") if at % 2 == 0 else (rf"M\d{{1,9}}:{NUMBER}(?: M\d{{1,9}}:{NUMBER})*", "M0:3 M1:2")
        )
        if not re.fullmatch(pattern, line) or (at % 2 == 0 and line != example):
            raise ParseError(f"{WHAT}, line {place}: {line[:60]!r} where a line like {example!r} is expected")
        if at % 2:
            rows.append([(int(machine), time) for machine, time in re.findall(rf"M(\d+):({NUMBER})", line)])
    if len(lines) % 2:
        raise ParseError(f"{WHAT}, line {lines[-1][0]}: {lines[-1][1]} has no operations; leave the job out")
    times, scale = scaled([number(time, WHAT) for row in rows for _, time in row], WHAT, "times")
    left = iter(times)
    return [[(machine, next(left)) for machine, _ in row] for row in rows], scale


def _read_flow_shop(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> FlowShop:
    rows, scale = _jobs(lines, 1)
    for job, row in enumerate(rows, 1):
        if [machine for machine, _ in row] != list(range(1, len(rows[0]) + 1)):
            raise ParseError(f"{WHAT}: job {job} does not pass machines 1 to {len(rows[0])} in this order; a flow shop's jobs do")
    return FlowShop(np.array([[time for _, time in row] for row in rows]), scale=scale)


def _read_job_shop(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> JobShop:
    rows, scale = _jobs(lines, 0)
    machines = _said(said, r"\b(\d{1,9}) machines\b", None, "number of machines")
    most = 1 + max(machine for row in rows for machine, _ in row)
    return JobShop(tuple(tuple(row) for row in rows), most if machines is None else int(machines), scale=scale)


def _sections(lines: Lines, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for place, line in lines:
        match = re.fullmatch(rf"({'|'.join(names)})\s*:\s*(.*)", line)
        if not match or match[1] in found:
            raise ParseError(f"{WHAT}, line {place}: {line[:60]!r}; the lines are {', '.join(f'{name!r}' for name in names)}, each once")
        found[match[1]] = place, match[2]
    if "distances" not in found:
        raise ParseError(f"{WHAT}: no line 'distances : (0):(1)=5, ...'")
    return found


def _entries(place: int, text: str, entry: str, example: str) -> list[tuple[str, ...]]:
    """All entries of a list that is nothing but entries."""
    if not re.fullmatch(rf"(?:{entry}(?:,\s*{entry})*)?", text):
        raise ParseError(f"{WHAT}, line {place}: it is no list like {example!r}")
    return [match.groups() for match in re.finditer(entry, text)]


def _places(found: dict[str, tuple[int, str]]) -> tuple[np.ndarray, np.ndarray | None, int]:
    place, text = found["distances"]
    entries = [(int(i), int(j), number(d, f"{WHAT}, line {place}")) for i, j, d in _entries(place, text, _ENTRY, "(0):(1)=5, (0):(2)=6")]
    xy = _points(*found["coordinates"]) if "coordinates" in found else None
    count = len(xy) if xy is not None else 1 + max((max(i, j) for i, j, _ in entries), default=0)
    values, scale = scaled([d for *_, d in entries], f"{WHAT}, line {place}", "distances")
    if count * count > 50 * len(entries) + 50:
        raise ParseError(f"{WHAT}, line {place}: {len(entries)} distances do not join {count} nodes")
    ways: dict[tuple[int, int], int] = {}
    for (i, j, _), value in zip(entries, values, strict=True):
        if max(i, j) >= count or ways.get((i, j), value) != value:
            raise ParseError(f"{WHAT}, line {place}: ({i}):({j}) {'is there twice' if (i, j) in ways else f'is not of {count} nodes'}")
        ways[i, j] = value
    matrix = np.zeros((count, count), np.int64)
    for i, j in permutations(range(count), 2):
        if (i, j) not in ways and (j, i) not in ways:
            raise ParseError(f"{WHAT}, line {place}: no distance of ({i}):({j})")
        matrix[i, j] = ways.get((i, j), ways.get((j, i), 0))
    return matrix, xy, scale


def _points(place: int, text: str) -> np.ndarray:
    points = _entries(place, text, _POINT, "(0): (0, 0), (1): (3, 4)")
    for at, (name, *_) in enumerate(points):
        if name is not None and int(name) != at:
            raise ParseError(f"{WHAT}, line {place}: node {name} in place {at}; nodes are counted from 0 without a gap")
    return np.array([(float(x), float(y)) for _, x, y in points]).reshape(-1, 2)


def _read_tsp(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> TSP:
    distances, xy, scale = _places(_sections(lines, ("coordinates", "distances")))
    return TSP(distances, xy=xy, scale=scale)


def _read_cvrp(lines: Lines, said: str, capacity: float | None, fleet: int | None) -> CVRP:
    found = _sections(lines, ("coordinates", "distances", "demands"))
    distances, xy, scale = _places(found)
    if "demands" not in found:
        raise ParseError(f"{WHAT}: no line 'demands : (1)=3, (2)=4, ...'; ACCORD's own texts have none, and none is made up")
    place, text = found["demands"]
    demands = {int(i): int(q) for i, q in _entries(place, text, r"\((\d{1,9})\)=(\d{1,18})", "(1)=3, (2)=4")}
    if sorted(demands) != list(range(1, len(distances))):
        raise ParseError(f"{WHAT}, line {place}: demands of {sorted(demands)[:20]}; customers 1 to {len(distances) - 1} have one each")
    holds = _capacity(said, capacity)
    if holds != int(holds):
        raise ParseError(f"{WHAT}: capacity {holds}; demands are whole numbers, and so is the capacity")
    vehicles = _said(said, r"\bat most (\d{1,9}) vehicles?\b", fleet, "number of vehicles")
    most = None if vehicles is None else int(vehicles)
    asked = np.array([0, *(demands[i] for i in range(1, len(distances)))])
    return CVRP(distances, asked, int(holds), fleet=most, xy=xy, scale=scale)


_EXAMPLES = {
    "tsp": "distances : (0):(1)=5, (0):(2)=6, (1):(2)=4",
    "cvrp": "distances : (0):(1)=5, (0):(2)=6, (1):(2)=4",
    "knapsack": "[[6, 4], [5, 3]]",
    "binpack": "[(0, 6), (1, 5)]",
    "pfsp": "J1:",
    "jssp": "J0:",
}
_READERS: dict[str, Callable[[Lines, str, float | None, int | None], Any]] = {
    "tsp": _read_tsp,
    "cvrp": _read_cvrp,
    "knapsack": _read_knapsack,
    "binpack": _read_bins,
    "pfsp": _read_flow_shop,
    "jssp": _read_job_shop,
}
