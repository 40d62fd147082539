"""The six kinds of problem, as frozen records of integers.

All arithmetic on constraints is in int64. Real data are multiplied once by a power of ten: the numbers here are real value x `scale`.
`best` is the best known objective, in these integers; `proven`: it is the optimum. `labels`: what the file calls the nodes (the depot
first), items or jobs; empty: nothing else than their numbers from 0.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, PrecisionError
from datamodules.accord.named import Machines, Named, checked_labels

__all__ = ["CVRP", "KINDS", "MAXIMISED", "TSP", "BinPacking", "FlowShop", "Instance", "JobShop", "Knapsack"]

MOST = 1 << 62  # sums above it would not be exact


def _integers(what: str, values: object, ndim: int) -> np.ndarray:
    """int64, non-negative, of this many dimensions, with sums that fit; a read-only copy."""
    try:
        array = np.array(values)
    except ValueError as error:
        raise InvalidInstanceError(f"{what}: rows of unequal length") from error
    if array.ndim != ndim:
        raise InvalidInstanceError(f"{what}: {array.ndim} dimensions; {ndim} are needed")
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InvalidInstanceError(f"{what}: not a number, or infinite")
        if (np.abs(array) >= MOST).any():
            raise PrecisionError(f"{what}: {np.abs(array).max():g} does not fit into 62 bits; scale it down")
        if (array != np.rint(array)).any():
            raise InvalidInstanceError(f"{what}: not whole numbers; multiply them by a power of ten and give it as scale")
    elif array.dtype.kind not in "iu":
        raise InvalidInstanceError(f"{what}: not numbers")
    if array.size and int(array.min()) < 0:
        raise InvalidInstanceError(f"{what}: negative numbers, such as {int(array.min())}")
    if array.size and float(np.abs(array.astype(np.float64)).sum()) >= MOST:
        raise PrecisionError(f"{what}: sums do not fit into 62 bits; scale it down")
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array


def _capacity(what: str, value: object) -> int:
    return int(_integers(what, [value], 1)[0])


def _points(what: str, xy: object, count: int) -> np.ndarray | None:
    if xy is None:
        return None
    array = np.array(xy, np.float64)
    if array.shape != (count, 2):
        raise InvalidInstanceError(f"{what}: coordinates are {array.shape}; {count} pairs are needed")
    if not np.isfinite(array).all():
        raise InvalidInstanceError(f"{what}: a coordinate is not a number, or infinite")
    array.flags.writeable = False
    return array


def _square(what: str, distances: object) -> np.ndarray:
    array = _integers(f"{what}: distances", distances, 2)
    if array.shape[0] != array.shape[1]:
        raise InvalidInstanceError(f"{what}: the matrix of distances is {array.shape[0]} by {array.shape[1]}; it must be square")
    if array.diagonal().any():  # some files hold 9999 there
        array = array.copy()
        np.fill_diagonal(array, 0)
        array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class TSP(Named):
    """The shortest round through all nodes. Distances may be asymmetric."""

    kind: ClassVar[str] = "tsp"
    distances: np.ndarray  # (N,N); the diagonal counts as 0
    xy: np.ndarray | None = None  # (N,2) float64, for features and drawings
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1
    metric: str = "explicit"  # how coordinates became distances: EUC_2D, GEO, ..., real; explicit: a matrix was given
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array = _square(self.name or "tsp", self.distances)
        if len(array) == 0:
            raise InvalidInstanceError(f"{self.name or 'tsp'}: no nodes")
        object.__setattr__(self, "distances", array)
        object.__setattr__(self, "xy", _points(self.name or "tsp", self.xy, len(array)))
        object.__setattr__(self, "labels", checked_labels(self.name or "tsp", self.labels, len(array), "nodes"))

    @property
    def size(self) -> int:
        return len(self.distances)


@dataclass(frozen=True, eq=False)
class CVRP(Named):
    """Routes from the depot (node 0) that serve every customer once, none above the capacity; at most `fleet` of them, or free."""

    kind: ClassVar[str] = "cvrp"
    distances: np.ndarray  # (N+1,N+1), node 0 is the depot
    demands: np.ndarray  # (N+1,), that of the depot is 0
    capacity: int
    fleet: int | None = None  # most vehicles allowed; None: as many as one likes
    named_fleet: int | None = None  # what the file's name says (-kK): the best known value assumes it
    xy: np.ndarray | None = None
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1
    metric: str = "explicit"
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.name or "cvrp"
        distances = _square(what, self.distances)
        demands = _integers(f"{what}: demands", self.demands, 1)
        capacity = _capacity(f"{what}: capacity", self.capacity)
        if len(distances) == 0 or len(demands) != len(distances):
            raise InvalidInstanceError(f"{what}: {len(demands)} demands for {len(distances)} nodes")
        if demands[0] != 0:
            raise InvalidInstanceError(f"{what}: the depot asks for {demands[0]}; its demand is 0")
        if self.fleet is not None and self.fleet < 1:
            raise InvalidInstanceError(f"{what}: a fleet of {self.fleet}; at least 1 vehicle is needed")
        object.__setattr__(self, "labels", checked_labels(what, self.labels, len(distances), "nodes"))
        if (too := np.flatnonzero(demands > capacity)).size:
            raise InfeasibleError(f"{what}: customer {self.label(too[0])} asks for {demands[too[0]]}, a vehicle holds {capacity}")
        object.__setattr__(self, "distances", distances)
        object.__setattr__(self, "demands", demands)
        object.__setattr__(self, "capacity", capacity)
        object.__setattr__(self, "xy", _points(what, self.xy, len(distances)))

    @property
    def size(self) -> int:
        """Customers."""
        return len(self.distances) - 1

    def with_fleet(self, fleet: int | None) -> "CVRP":
        return replace(self, fleet=fleet)


@dataclass(frozen=True, eq=False)
class Knapsack(Named):
    """The most valuable items that fit. An item heavier than the capacity is simply never taken."""

    kind: ClassVar[str] = "knapsack"
    values: np.ndarray  # (N,)
    weights: np.ndarray  # (N,)
    capacity: int
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1  # of weights and capacity
    value_scale: int = 1
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.name or "knapsack"
        values, weights = _integers(f"{what}: values", self.values, 1), _integers(f"{what}: weights", self.weights, 1)
        if len(values) != len(weights):
            raise InvalidInstanceError(f"{what}: {len(values)} values and {len(weights)} weights")
        object.__setattr__(self, "labels", checked_labels(what, self.labels, len(values), "items"))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "capacity", _capacity(f"{what}: capacity", self.capacity))

    @property
    def size(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class BinPacking(Named):
    """All items into as few bins as possible."""

    kind: ClassVar[str] = "binpack"
    weights: np.ndarray  # (N,)
    capacity: int
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.name or "binpack"
        weights = _integers(f"{what}: sizes", self.weights, 1)
        capacity = _capacity(f"{what}: capacity", self.capacity)
        object.__setattr__(self, "labels", checked_labels(what, self.labels, len(weights), "items"))
        if (too := np.flatnonzero(weights > capacity)).size:
            raise InfeasibleError(f"{what}: item {self.label(too[0])} has size {weights[too[0]]}, a bin holds {capacity}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "capacity", capacity)

    @property
    def size(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, eq=False)
class FlowShop(Machines):
    """Every job passes all machines in the same order; the jobs' order is the same on all machines. Least completion of all."""

    kind: ClassVar[str] = "pfsp"
    times: np.ndarray  # (jobs, machines)
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    machine_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.name or "pfsp"
        times = _integers(f"{what}: times", self.times, 2)
        if 0 in times.shape:
            raise InvalidInstanceError(f"{what}: {times.shape[0]} jobs on {times.shape[1]} machines")
        object.__setattr__(self, "labels", checked_labels(what, self.labels, len(times), "jobs"))
        object.__setattr__(self, "machine_labels", checked_labels(what, self.machine_labels, times.shape[1], "machines"))
        object.__setattr__(self, "times", times)

    @property
    def size(self) -> int:
        """Jobs."""
        return len(self.times)


@dataclass(frozen=True, eq=False)
class JobShop(Machines):
    """Every job has its own order of machines. Jobs may be of unequal length and come to a machine twice; none is without operations."""

    kind: ClassVar[str] = "jssp"
    jobs: tuple[tuple[tuple[int, int], ...], ...]  # (machine, time) of each operation, job by job, in order
    machines: int
    name: str = ""
    best: int | None = None
    proven: bool = False
    scale: int = 1
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    machine_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.name or "jssp"
        kept = tuple(tuple((int(machine), int(time)) for machine, time in job) for job in self.jobs if len(job))
        if not kept:
            raise InvalidInstanceError(f"{what}: no operations")
        flat = np.array([operation for job in self.jobs for operation in job])
        _integers(f"{what}: machines and times", flat, 2)
        if (most := int(flat[:, 0].max())) >= self.machines:
            raise InvalidInstanceError(f"{what}: machine {most} of {self.machines}; they are counted from 0")
        labels = checked_labels(what, self.labels, len(self.jobs), "jobs")
        if len(kept) < len(self.jobs):
            labels = tuple(label for label, job in zip(labels, self.jobs, strict=False) if len(job))
            dropped = len(self.jobs) - len(kept)
            object.__setattr__(self, "notes", (*self.notes, f"{dropped} jobs without operations were left out"))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "machine_labels", checked_labels(what, self.machine_labels, self.machines, "machines"))
        object.__setattr__(self, "jobs", kept)

    @property
    def size(self) -> int:
        """Jobs."""
        return len(self.jobs)


Instance = TSP | CVRP | Knapsack | BinPacking | FlowShop | JobShop
KINDS: dict[str, type[Instance]] = {one.kind: one for one in (TSP, CVRP, Knapsack, BinPacking, FlowShop, JobShop)}
MAXIMISED = frozenset({"knapsack"})  # the other objectives are minimised
