"""What the judge says of a plan: feasible or not, what it really costs, and everything that is wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["CODES", "Report", "Violation", "places", "sequence", "whole"]

# What can be wrong. `amount` is in the unit named here; `where` holds ids, counted from 0 as in the plan.
CODES = {
    "shape": "the plan, or this part of it, is no list",  # where: the part
    "type": "no whole number stands here",  # where: the place
    "unknown": "there is no such node, item or job",  # where: (id,) or (route or bin, id)
    "missing": "it is not in the plan",  # where: (id,) or (job, operation)
    "repeated": "it is in the plan more than once",  # where: (id,); amount: how many times too often
    "depot": "the depot stands inside a route",  # where: (route,)
    "overload": "more than fits",  # where: (route,) or (bin,) or (); amount: how much too much
    "fleet": "more vehicles than there are",  # amount: how many too many
    "machine": "the operation runs on another machine",  # where: (job, operation, machine it is said to run on)
    "duration": "the operation takes another time",  # where: (job, operation); amount: by how much it is wrong
    "negative": "it starts before time 0",  # where: (job, operation); amount: how much before
    "order": "it starts before the operation before it ends",  # where: (job, operation); amount: how much before
    "overlap": "two operations at once on a machine",  # where: (machine, job, operation, other job, its operation); amount: how long
}


@dataclass(frozen=True)
class Violation:
    """One breach. where: ids counted from 0; amount: how much, where there is a measure."""

    code: str
    where: tuple[Any, ...] = ()
    amount: int | None = None
    says: str = ""  # the line for people

    def __str__(self) -> str:
        return self.says or f"{CODES[self.code]}: {self.where}"


@dataclass(frozen=True)
class Report:
    """feasible: no violation. objective: recomputed from the plan as it stands; None where it cannot be told.

    declared: what came with the plan, and is never believed.
    """

    kind: str
    feasible: bool
    objective: int | None
    declared: int | None = None
    violations: tuple[Violation, ...] = ()
    used: int | None = None  # vehicles, bins; None where nothing of the sort is counted
    gap: float | None = None  # per cent from the best known value of the same fleet rule; None for infeasible plans
    notes: tuple[str, ...] = ()
    scale: int = 1  # the objective is a real value times this

    @property
    def misdeclared(self) -> bool:
        """The plan came with an objective that is not its own."""
        return self.declared is not None and self.declared != self.objective

    def lines(self) -> list[str]:
        """For people; every violation is there."""
        used = {"cvrp": "vehicles", "binpack": "bins"}.get(self.kind)
        breaches = f"{len(self.violations)} violation{'s' if len(self.violations) > 1 else ''}"
        out = [f"{self.kind}: {'feasible' if self.feasible else f'not feasible, {breaches}'}"]
        out += [f"  {violation.code}: {violation}" for violation in self.violations]
        value = "cannot be told" if self.objective is None else str(self.objective)
        out.append(f"objective: {value}{f' (real value times {self.scale})' if self.scale > 1 else ''}")
        if self.declared is not None:
            out.append(f"declared: {self.declared}{', which is wrong' if self.misdeclared else ''}")
        if used and self.used is not None:
            out.append(f"{used} used: {self.used}")
        if self.gap is not None:
            out.append(f"gap to the best known: {self.gap:.3f} %")
        return out + [f"note: {note}" for note in self.notes]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "feasible": self.feasible,
            "objective": self.objective,
            "declared": self.declared,
            "misdeclared": self.misdeclared,
            "used": self.used,
            "gap": self.gap,
            "scale": self.scale,
            "violations": [
                {"code": one.code, "where": [_plain(place) for place in one.where], "amount": one.amount, "says": str(one)}
                for one in self.violations
            ],
            "notes": list(self.notes),
        }


def sequence(value: Any) -> list[Any] | None:
    """A list of whatever is in a list, a tuple or an array; None: it is none of these."""
    if isinstance(value, list | tuple):
        return list(value)
    if type(value).__module__ == "numpy":
        value = value.tolist()
    return value if isinstance(value, list) else None


def whole(value: Any) -> int | None:
    """A Python integer, or None: True, 3.0 and "3" are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if type(value).__module__ == "numpy" and getattr(value, "dtype", None) is not None and value.dtype.kind in "iu" and value.ndim == 0:
        return int(value)
    return None


def places(ids: Iterable[Any], least: int, most: int, what: str, route: int | None = None) -> tuple[list[int], list[Violation]]:
    """The ids that exist (least <= id < most), in order, and what is wrong with the others."""
    good, wrong = [], []
    for at, entry in enumerate(ids):
        number, inside = whole(entry), () if route is None else (route,)
        if number is None:
            wrong.append(Violation("type", (*inside, at), None, f"place {at}{_of(route)} holds {_short(entry)}, no {what}"))
        elif not least <= number < most:
            wrong.append(Violation("unknown", (*inside, number), None, f"{what} {number}{_of(route)} does not exist"))
        else:
            good.append(number)
    return good, wrong


def _of(route: int | None) -> str:
    return "" if route is None else f" of part {route}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # a plan may hold anything, even what cannot be shown
        text = f"a {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "..."


def _plain(value: Any) -> Any:
    return value if whole(value) is None else whole(value)
