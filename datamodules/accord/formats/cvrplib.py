"""CVRPLIB: instances (.vrp) and solutions (.sol)."""

import re
from collections.abc import Sequence

import numpy as np

from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.format import Declared, Format, Options
from datamodules.accord.formats.keyed import Keyed, comment_lines, is_keyed, keyed, places, size_of, stated_best, weights_text
from datamodules.accord.formats.numbers import Number, Numbers, fits, number, plain, scaled, whole
from datamodules.accord.formats.plans import one_line, value_of
from datamodules.accord.formats.source import Source, text_source
from datamodules.accord.formats.tsplib import type_of
from datamodules.accord.instances import CVRP, Instance
from datamodules.accord.solution import Plan

__all__ = ["CVRPLIB", "SOL", "named_fleet"]

_NAMED = re.compile(r"-k(\d+)$")
_TRUCKS = re.compile(r"\bno of trucks\s*:?\s*(\d+)", re.IGNORECASE)
_ROUTE = re.compile(r"^\s*route\s*#?\s*\d+\s*:\s*(.*)$", re.IGNORECASE)
_COST = re.compile(r"^\s*cost\s*:?\s*([0-9.eE+]+)\s*$", re.IGNORECASE)


def named_fleet(name: str) -> int | None:
    """5 of A-n32-k5."""
    found = _NAMED.search(name)
    return int(found[1]) if found and int(found[1]) else None


def _matches(source: Source) -> bool:
    return is_keyed(source.text) and (type_of(source.text) in ("CVRP", "ACVRP") or (not type_of(source.text) and "CAPACITY" in source.text))


def _read(source: Source, options: Options) -> list[Instance]:
    found = keyed(source, ("CAPACITY", "VEHICLES", "DISTANCE", "SERVICE_TIME"), ("DEMAND_SECTION", "DEPOT_SECTION"))
    for key, meaning in (("DISTANCE", "a limit on a route's length"), ("SERVICE_TIME", "service times")):
        if key in found.values and number(found.values[key][0], found.at(key), key) != 0:
            raise UnsupportedError(f"{found.at(key)}: {key} asks for {meaning}, which is not modelled; use PyVRP or OR-Tools routing")
    size = size_of(found)
    here = places(found, size, options.rounding)
    depot = _depot(found, size)
    demands, lines, capacity, scale = _demands(found, size)
    if demands[depot]:
        raise InvalidInstanceError(f"{found.where}, line {lines[depot]}: the depot asks for {demands[depot]}; its demand is 0")
    fits(found.where, demands, lines, capacity, "node", "a vehicle", first=1)
    name = found.get("NAME") or source.stem
    best, proven = stated_best(found, here.metric, here.scale)
    trucks = _TRUCKS.search(" ".join(found.comments))
    fleet = whole(found.values["VEHICLES"][0], found.at("VEHICLES"), "VEHICLES", 1) if "VEHICLES" in found.values else None
    order = [depot, *(node for node in range(size) if node != depot)]
    notes = [] if depot == 0 else [f"the depot is node {depot + 1} of the file; customers 1 to {size - 1} are its other nodes, in order"]
    if scale != 1:
        notes.append(f"demands and capacity are multiplied by {scale}")
    return [
        CVRP(
            here.distances[np.ix_(order, order)],
            np.array(demands, np.int64)[order],
            capacity,
            fleet,
            named_fleet(name) or (int(trucks[1]) if trucks and int(trucks[1]) else None),
            None if here.xy is None else here.xy[order],
            name,
            best,
            proven,
            here.scale,
            here.metric,
            tuple(notes),
        )
    ]


def _depot(found: Keyed, size: int) -> int:
    """Counted from 0."""
    if "DEPOT_SECTION" not in found.sections:
        raise ParseError(f"{found.where}: no DEPOT_SECTION; it names the depot's node, then -1")
    numbers = Numbers(found.where, found.sections["DEPOT_SECTION"])
    depots = []
    while numbers.left:
        word, place = numbers.word("node")
        if word == "-1":
            break
        depot = whole(word, place, "depot", 0)
        if not 1 <= depot <= size:
            raise InvalidInstanceError(f"{place}: depot {depot}; DIMENSION {size} has nodes 1 to {size}")
        depots.append(depot)
    if len(depots) != 1:
        if depots:
            raise UnsupportedError(f"{found.at('DEPOT_SECTION')}: {len(depots)} depots; one is modelled: use PyVRP or VROOM")
        raise ParseError(f"{found.at('DEPOT_SECTION')}: no depot; it is 1 in most files, then -1")
    numbers.nothing_left("the depot and -1")
    return depots[0] - 1


def _demands(found: Keyed, size: int) -> tuple[list[int], list[int], int, int]:
    """(demands, their lines, capacity, scale of both)."""
    for key in ("CAPACITY", "DEMAND_SECTION"):
        if key not in found.values and key not in found.sections:
            raise ParseError(f"{found.where}: no {key}")
    given: dict[int, tuple[Number, int]] = {}
    for line, text in found.sections["DEMAND_SECTION"]:
        place, words = f"{found.where}, line {line}", text.split()
        if len(words) != 2:
            raise ParseError(f"{place}: {len(words)} words; a demand is `id demand`")
        node = whole(words[0], place, "node id", 0)
        if not 1 <= node <= size:
            raise InvalidInstanceError(f"{place}: node {node}; DIMENSION {size} has nodes 1 to {size}")
        if node in given:
            raise InvalidInstanceError(f"{place}: node {node} is there twice, first in line {given[node][1]}")
        given[node] = number(words[1], place, "demand"), line
    if len(given) != size:
        raise InvalidInstanceError(f"{found.at('DEMAND_SECTION')}: demands of {len(given)} nodes, DIMENSION says {size}")
    capacity = number(found.values["CAPACITY"][0], found.at("CAPACITY"), "CAPACITY")
    nodes = [given[node] for node in range(1, size + 1)]
    (*demands, held), scale = scaled([*(demand for demand, _ in nodes), capacity], found.at("DEMAND_SECTION"), "demands")
    return demands, [line for _, line in nodes], held, scale


def _write(instances: Sequence[Instance]) -> str:
    (instance,) = instances
    assert isinstance(instance, CVRP)
    keys, rows = weights_text(instance.distances, instance.xy, instance.metric, instance.scale)
    notes = []
    if instance.named_fleet is not None and named_fleet(instance.name) is None:
        notes.append(f"No of trucks: {instance.named_fleet}")
    head = [f"NAME : {one_line(instance.name)}", *comment_lines(notes, instance.best, instance.proven, instance.scale), "TYPE : CVRP"]
    head += [f"DIMENSION : {len(instance.demands)}", *keys, f"CAPACITY : {instance.capacity}"]
    if instance.fleet is not None:
        head.append(f"VEHICLES : {instance.fleet}")
    demands = [f"{node} {demand}" for node, demand in enumerate(instance.demands.tolist(), 1)]
    return "\n".join([*head, *rows, "DEMAND_SECTION", *demands, "DEPOT_SECTION", "1", "-1", "EOF", ""])


def _is_sol(text: str) -> bool:
    return any(_ROUTE.match(line) for line in text.splitlines()[:20])


def _read_sol(text: str, instance: Instance) -> Declared:
    routes: list[tuple[int, ...]] = []
    declared = None
    for line, row in text_source(text).filled:
        place = f"the solution, line {line}"
        if route := _ROUTE.match(row):
            customers = tuple(whole(word, place, "customer", 1) for word in route[1].split())
            if customers and max(customers) > instance.size:
                raise InvalidInstanceError(f"{place}: customer {max(customers)}; the instance has customers 1 to {instance.size}")
            if customers:  # a vehicle that stays at home
                routes.append(customers)
        elif cost := _COST.match(row):
            (declared,), _ = scaled([number(cost[1], place, "cost")], place, "cost", instance.scale)
    return tuple(routes), declared


def _write_sol(instance: Instance, plan: Plan) -> str:
    lines = [f"Route #{index}: {' '.join(map(str, route))}" for index, route in enumerate(plan, 1)]
    return "\n".join([*lines, f"Cost {plain(value_of(instance, plan), instance.scale)}", ""])


CVRPLIB = Format(
    "cvrplib",
    "CVRPLIB (TYPE : CVRP, CAPACITY, DEMAND_SECTION, DEPOT_SECTION)",
    ("cvrp",),
    (".vrp",),
    _matches,
    _read,
    _write,
    names=True,
)
SOL = Format(
    "sol",
    "a CVRPLIB solution (Route #1: 3 1 2, Cost 784)",
    ("cvrp",),
    (".sol",),
    is_solution=_is_sol,
    read_solution=_read_sol,
    write_solution=_write_sol,
)
