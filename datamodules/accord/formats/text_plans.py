"""From what a text states to a plan, for both of ACCORD's texts. What is stated wrongly stays in the plan, for the checker to name."""

from collections.abc import Sequence

from datamodules.accord.checker import check
from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.text_lines import Found, Stated, coordinate, units
from datamodules.accord.instances import CVRP, TSP, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["Row", "flow_shop_plan", "flow_shop_runs", "items_plan", "job_shop_plan", "place", "routes_plan", "schedule_rows", "writable"]

Row = tuple[int, int, Stated, Stated]  # job, machine, start, duration
Stop = tuple[int, str, str, str]  # node, x, y, distance driven to it; "": not stated

_NEVER = {"shape", "type", "unknown", "depot"}  # such a plan has no text
_NEITHER = {"jssp": {"missing", "repeated", "machine", "duration"}, "knapsack": {"repeated"}}


def writable(instance: Instance, plan: Plan) -> int:
    """The objective of a plan. Refused where an id does not exist; a plan that only breaks a limit can be written."""
    report = check(instance, plan)
    never = _NEVER | _NEITHER.get(instance.kind, set())
    wrong = next((violation for violation in report.violations if violation.code in never), None)
    if wrong is not None or report.objective is None or (instance.kind == "tsp" and not plan):
        raise InvalidInstanceError(f"{instance.name or instance.kind}: no text can hold this plan: {wrong or 'it is empty'}")
    return report.objective


def items_plan(instance: Knapsack, pairs: Sequence[tuple[Stated, Stated]]) -> Plan:
    """Items are named by (value, weight); equal ones are distinct, and each mention takes the next. A pair that is not there stays one."""
    left: dict[tuple[Stated, Stated], list[int]] = {}
    for item in reversed(range(instance.size)):
        left.setdefault((int(instance.values[item]), int(instance.weights[item])), []).append(item)
    known, strange = [], []
    for pair in pairs:
        if left.get(pair):
            known.append(left[pair].pop())
        else:
            strange.append(pair)
    return (*sorted(known), *strange)


def place(instance: TSP | CVRP, node: int) -> str:
    if instance.xy is None:
        return f"({node})"  # ours: a matrix has no places
    x, y = instance.xy[node]
    return f"({node}): ({coordinate(x)}, {coordinate(y)})"


def routes_plan(instance: TSP | CVRP, found: Found, routes: Sequence[tuple[int, Sequence[Stop]]]) -> Plan:
    """routes: (line, stops with the return). What is said of a place or a way, and is not so, becomes a note."""
    paths = []
    for line, stops in routes:
        nodes = [stop[0] for stop in stops]
        home = nodes[0] if isinstance(instance, TSP) and nodes else 0
        if len(nodes) < 2 or nodes[0] != home or nodes[-1] != home:
            shown = f"goes from {nodes[0]} to {nodes[-1]}" if nodes else "has no nodes"
            raise ParseError(f"{found.what}, line {line}: the route {shown}; it must begin and end at node {home}")
        _compare_stops(instance, found, line, stops)
        paths.append(tuple(nodes[:-1] if isinstance(instance, TSP) else nodes[1:-1]))
    if not isinstance(instance, TSP):
        return tuple(paths)
    if len(paths) != 1:
        raise ParseError(f"{found.what}: {len(paths)} routes; a tour is one")
    return paths[0]


def _compare_stops(instance: TSP | CVRP, found: Found, line: int, stops: Sequence[Stop]) -> None:
    before, count = None, len(instance.distances)
    for node, x, y, way in stops:
        known = node < count
        if known and instance.xy is not None and x and (float(x), float(y)) != tuple(instance.xy[node].tolist()):
            found.notes.append(f"line {line}: node {node} is said to be at ({x}, {y}); it is at {place(instance, node)}")
        if known and way and before is not None and before < count:
            true = int(instance.distances[before, node]) if before != node else 0
            found.expect(line, f"the way from {before} to {node}", units(way, instance.scale), true)
        before = node


def flow_shop_runs(instance: FlowShop, plan: Plan) -> list[list[tuple[int, int]]]:
    """(start, duration) on every machine, for each job in order."""
    free = [0] * instance.times.shape[1]
    rows = []
    for job in plan:
        ready, row = 0, []
        for machine, time in enumerate(instance.times[job].tolist()):
            start = max(ready, free[machine])
            free[machine] = ready = start + time
            row.append((start, time))
        rows.append(row)
    return rows


def flow_shop_plan(instance: FlowShop, found: Found, rows: Sequence[Row]) -> Plan:
    """The order of the first machine, by start; the others must have the same. Jobs and machines are counted from 0 here."""
    orders: list[list[int]] = [[] for _ in range(instance.times.shape[1])]
    for job, machine, _, _ in sorted(rows, key=lambda row: row[2]):
        if not 0 <= machine < len(orders):
            raise ParseError(f"{found.what}: machine {machine + 1}; they are counted from 1 to {len(orders)}")
        orders[machine].append(job)
    for machine, order in enumerate(orders):
        if order != orders[0]:
            raise ParseError(f"{found.what}: machine {machine + 1} has other jobs than machine 1, or in another order")
    plan = tuple(orders[0])
    if all(0 <= job < instance.size for job in plan) and len(set(plan)) == len(plan):
        true = dict(zip(plan, flow_shop_runs(instance, plan), strict=True))
        for job, machine, start, time in rows:
            says = f"(start, duration) of job {job + 1} on machine {machine + 1}"
            found.expect(0, says, (start, time), true[job][machine])
    return plan


def schedule_rows(instance: JobShop, plan: Plan) -> list[tuple[int, int, int, int]]:
    """(job, machine, start, duration) of every operation in order of start; those of one job stay in their order."""
    rows = []
    for job, (operations, starts) in enumerate(zip(instance.jobs, plan, strict=True)):
        for operation, ((machine, time), start) in enumerate(zip(operations, starts, strict=True)):
            rows.append((start, job, operation, machine, time))
    return [(job, machine, start, time) for start, job, _, machine, time in sorted(rows)]


def job_shop_plan(instance: JobShop, rows: Sequence[Row]) -> Plan:
    """A row is the first operation of its job on that machine that is left; what fits none takes the first that is left of the job.

    An operation that is stated otherwise than it is stays (machine, start, duration), as the checker takes it; None: not stated.
    """
    strange = [row for row in rows if not 0 <= row[0] < instance.size]
    plan = []
    for job, truth in enumerate(instance.jobs):
        plan.append(_operations(truth, sorted((row for row in rows if row[0] == job), key=lambda row: row[2])))
    return (*plan, *((row[1:],) for row in strange))


def _operations(truth: Sequence[tuple[int, int]], stated: Sequence[Row]) -> Plan:
    entries: list[Stated | tuple[int, Stated, Stated] | None] = [None] * len(truth)
    fits_none = []
    for _, machine, start, time in stated:
        at = next((i for i, (true, _) in enumerate(truth) if true == machine and entries[i] is None), None)
        if at is None:
            fits_none.append((machine, start, time))
        else:
            entries[at] = start if time == truth[at][1] else (machine, start, time)
    left = [i for i, entry in enumerate(entries) if entry is None]
    for at, row in zip(left, fits_none, strict=False):
        entries[at] = row
    return (*entries, *fits_none[len(left) :])
