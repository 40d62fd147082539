"""Instances and solutions as plain values (what JSON holds), every field exactly; and in which fields two instances differ."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any, get_args

import numpy as np

from datamodules.accord.distances import matrix
from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.numbers import Number, scaled
from datamodules.accord.formats.plans import shape_of, value_of
from datamodules.accord.formats.refused import unmodelled
from datamodules.accord.instances import KINDS, Instance, JobShop
from datamodules.accord.solution import Plan, Solution, Status

__all__ = ["differences", "from_record", "plan_record", "solution_of", "to_record"]

# Which numbers are multiplied by which scale where they have decimals; those of no scale must be whole.
_SCALED: dict[str, dict[str, tuple[str, ...]]] = {
    "tsp": {"scale": ("distances",)},
    "cvrp": {"scale": ("distances",), "": ("demands", "capacity")},
    "knapsack": {"scale": ("weights", "capacity"), "value_scale": ("values",)},
    "binpack": {"scale": ("weights", "capacity")},
    "pfsp": {"scale": ("times",)},
    "jssp": {"scale": ("jobs",)},
}
_INTEGERS = ("fleet", "named_fleet", "best", "machines", "scale", "value_scale")
_OPTIONAL = ("fleet", "named_fleet", "best")
_BESIDE = ("instance", "scale", "best", "gap", "fleet", "vehicles", "fewest_vehicles")  # what `solve` says beside a solution
_NAMES = ("labels", "machine_labels")  # left out where there are none


def to_record(instance: Instance) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": instance.kind}
    for one in fields(instance):
        value = getattr(instance, one.name)
        if isinstance(value, np.ndarray):
            value = value.tolist()
        elif isinstance(value, tuple):
            value = [[list(pair) for pair in row] for row in value] if one.name == "jobs" else list(value)
        record[one.name] = value
    return {name: value for name, value in record.items() if value or name not in _NAMES}


def differences(one: Instance, other: Instance) -> list[str]:
    """The fields in which two instances differ; notes, which are about the reading, are left out."""
    if one.kind != other.kind:
        return ["kind"]
    first, second = to_record(one), to_record(other)
    return [name for name in {**first, **second} if name != "notes" and first.get(name) != second.get(name)]


def from_record(record: Mapping[str, Any], where: str) -> Instance:
    """The inverse. By hand, distances may be left to xy and a metric, and decimals stand for themselves where no scale is given."""
    kind = record.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ParseError(f"{where}: kind {kind!r} is not known; there are {', '.join(KINDS)}")
    known = {one.name: one for one in fields(KINDS[kind])}
    for key in record:
        if key not in known and key != "kind":
            if asked := unmodelled(key):
                raise UnsupportedError(f"{where}: {key!r} asks for {asked[0]}, which is not modelled; use {asked[1]}")
            raise ParseError(f"{where}: {key!r} is no field of a {kind}; there are {', '.join(known)}")
    values = {key: value for key, value in record.items() if key != "kind"}
    _check_types(values, where)
    if "xy" in values and values["xy"] is not None:
        values["xy"] = _nested(values["xy"], float, f"{where}: 'xy'")
    if "distances" in known and "distances" not in values:
        _measure(values, where)
    if "jobs" in values:
        _check_pairs(values["jobs"], where)
        values.setdefault("machines", 1 + max((int(machine) for job in values["jobs"] for machine, _ in job), default=0))
    for key, one in known.items():
        if one.default is MISSING and key not in values:
            raise ParseError(f"{where}: a {kind} without {key!r}")
    for scale, keys in _SCALED[kind].items():
        _whole(values, scale, keys, where)
    return KINDS[kind](**values)


def _check_types(values: dict[str, Any], where: str) -> None:
    for key in _INTEGERS:
        value = values.get(key)
        if key in values and not (value is None and key in _OPTIONAL) and (isinstance(value, bool) or not isinstance(value, int)):
            raise ParseError(f"{where}: {key!r} is {value}; a whole number is needed")
    for key, least in (("best", 0), ("machines", 1), ("named_fleet", 1)):
        if values.get(key) is not None and values[key] < least:
            raise InvalidInstanceError(f"{where}: {key!r} is {values[key]}; it must be at least {least}")
    for key in ("scale", "value_scale"):
        if key in values and str(values[key]).rstrip("0") != "1":
            raise InvalidInstanceError(f"{where}: {key!r} is {values[key]}; it is a power of ten")
    for key, kind in (("name", str), ("metric", str), ("proven", bool)):
        if key in values and not isinstance(values[key], kind):
            raise ParseError(f"{where}: {key!r} is {values[key]!r}; a {kind.__name__} is needed")
    for key in ("notes", *_NAMES):
        if key in values:
            if not isinstance(values[key], list) or not all(isinstance(text, str) for text in values[key]):
                raise ParseError(f"{where}: {key!r} is a list of texts")
            values[key] = tuple(values[key])


def _nested(value: Any, turn: Callable[[Number], Any], where: str) -> Any:
    if isinstance(value, list):
        return [_nested(one, turn, where) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ParseError(f"{where}: {value!r} where a number is expected")
    return turn(value)


def _measure(values: dict[str, Any], where: str) -> None:
    """Distances of xy, by the metric."""
    if values.get("xy") is None or "metric" not in values:
        raise ParseError(f"{where}: neither 'distances' nor 'xy' with a 'metric' (EUC_2D, GEO, real, ...)")
    points = np.array(values["xy"], np.float64) if all(len(row) == 2 for row in values["xy"]) else np.zeros((1, 0))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ParseError(f"{where}: 'xy' is a list of pairs")
    values["distances"] = matrix(points, values["metric"], values.setdefault("scale", 1)).tolist()


def _check_pairs(jobs: Any, where: str) -> None:
    good = isinstance(jobs, list) and all(
        isinstance(job, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in job) for job in jobs
    )
    if not good:
        raise ParseError(f"{where}: 'jobs' is a list of lists of [machine, time]")
    for machine in (pair[0] for job in jobs for pair in job):
        if isinstance(machine, bool) or not isinstance(machine, int):
            raise ParseError(f"{where}: machine {machine!r}; it is a whole number, counted from 0")


def _whole(values: dict[str, Any], scale: str, keys: tuple[str, ...], where: str) -> None:
    """The numbers of these keys as integers; the scale is made where they have decimals and none is given."""
    flat: list[Number] = []
    for key in keys:
        _nested(values[key], flat.append, f"{where}: {key!r}")
    given = 1 if not scale or scale in values else None
    integers, made = scaled(flat, where, " and ".join(keys), given)
    if given is None:
        values[scale] = made
    row = iter(integers)
    for key in keys:
        values[key] = _nested(values[key], lambda _, row=row: next(row), where)
    if "jobs" in keys:  # of pairs, only the times are scaled
        values["jobs"] = tuple(tuple((pair[0] // made if given is None else pair[0], pair[1]) for pair in job) for job in values["jobs"])


def plan_record(instance: Instance, solution: Solution | Plan) -> dict[str, Any]:
    """Of a solution with all that is known of it, or of a plan alone."""
    if not isinstance(solution, Solution):
        record = {"plan": _lists(solution), **_labels(instance, solution), "objective": value_of(instance, solution)}
        return {"kind": instance.kind, "instance": instance.name, **record}
    record = {one.name: getattr(solution, one.name) for one in fields(solution)}
    record["plan"] = None if solution.plan is None else _lists(solution.plan)
    record["trace"] = [list(row) for row in solution.trace]
    return {"kind": instance.kind, "instance": instance.name, **record, **_labels(instance, solution.plan)}


def _labels(instance: Instance, plan: Plan | None) -> dict[str, Any]:
    """The plan in the labels of the instance's file, where it has any; of a schedule, whose rows are the jobs', those of the jobs."""
    names: dict[str, Any] = {}
    if plan is not None and instance.labels:
        names["labels"] = list(instance.labels) if isinstance(instance, JobShop) else _called(instance, plan)
    if plan is not None and isinstance(instance, JobShop) and instance.machine_labels:
        names["machine_labels"] = list(instance.machine_labels)
    return names


def _called(instance: Instance, plan: Any) -> Any:
    return [_called(instance, one) for one in plan] if isinstance(plan, tuple | list) else instance.label(int(plan))


def _lists(plan: Any) -> Any:
    return [_lists(one) for one in plan] if isinstance(plan, tuple | list) else int(plan)


def solution_of(record: Mapping[str, Any], instance: Instance, where: str) -> Solution:
    """The inverse of `plan_record`; what a plan alone does not say has its default, and its status is unknown until it is checked."""
    if record.get("kind", instance.kind) != instance.kind:
        raise InvalidInstanceError(f"{where}: a plan of kind {record['kind']}, the instance is a {instance.kind}")
    known = [one.name for one in fields(Solution)]
    if extra := [key for key in record if key not in (*known, *_BESIDE, *_NAMES)]:
        raise ParseError(f"{where}: {extra[0]!r} is no field of a solution; there are {', '.join(known)}")
    values: dict[str, Any] = {key: value for key, value in record.items() if key in known} | {"kind": instance.kind}
    values["plan"] = None if values.get("plan") is None else shape_of(instance, values["plan"], where)
    for key in ("objective", "bound"):
        value = values.setdefault(key, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ParseError(f"{where}: {key!r} is {value}; a whole number is needed")
    if values.setdefault("status", "unknown") not in get_args(Status):
        raise ParseError(f"{where}: status {values['status']!r} is not known; there are {', '.join(get_args(Status))}")
    if "wall" in values:
        values["wall"] = _nested(values["wall"], float, f"{where}: 'wall'")
    try:
        values["trace"] = tuple((float(seconds), int(value), str(source)) for seconds, value, source in values.get("trace", ()))
    except (TypeError, ValueError):
        raise ParseError(f"{where}: 'trace' is a list of [seconds, objective, source]") from None
    return Solution(**values)
