"""Small instances for the tests of references, with numbers of our own, and their optima by brute force."""

from itertools import permutations, product

import numpy as np

from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.references.objective import objective

__all__ = ["KINDS", "best", "degenerate", "drawn", "larger"]


def _matrix(rng: np.random.Generator, size: int, both: bool) -> np.ndarray:
    matrix = rng.integers(0, 100, (size, size))
    return np.minimum(matrix, matrix.T) if both else matrix


def drawn(kind: str, seed: int) -> Instance:
    """Small enough for brute force."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    if kind == "tsp":
        return TSP(_matrix(rng, int(rng.integers(4, 8)), seed % 2 == 0))
    if kind == "cvrp":
        size = int(rng.integers(2, 6))
        return CVRP(_matrix(rng, size + 1, seed % 2 == 0), [0, *rng.integers(0, 10, size)], 12, fleet=(None, 3, 4)[seed % 3])
    if kind == "knapsack":
        return Knapsack(rng.integers(0, 40, 9), rng.integers(0, 40, 9), int(rng.integers(0, 180)))
    if kind == "binpack":
        return BinPacking(rng.integers(0, 70, 7), 100)
    if kind == "pfsp":
        return FlowShop(rng.integers(0, (3, 100)[seed % 2], (5, int(rng.integers(1, 5)))))
    times = (3, 50)[seed % 2]  # with 3 there are operations without time
    return JobShop(
        tuple(tuple((int(rng.integers(3)), int(rng.integers(times))) for _ in range(int(rng.integers(1, 4)))) for _ in range(3)), 3
    )


def larger(kind: str, seed: int = 0) -> Instance:
    """As the product meets them; nothing here is solved at a glance."""
    rng = np.random.default_rng([seed, 99])
    xy = rng.random((40, 2))
    distances = np.rint(1000 * np.hypot(*(xy[:, None] - xy[None]).T)).astype(np.int64)
    return {
        "tsp": lambda: TSP(distances, xy),
        "cvrp": lambda: CVRP(distances, [0, *rng.integers(1, 10, 39)], 30),
        "knapsack": lambda: Knapsack(weights := rng.integers(1000, 10_000_000, 60), weights + 1_000_000, 60_000_001),
        "binpack": lambda: BinPacking(rng.integers(200, 1000, 60), 2000),
        "pfsp": lambda: FlowShop(rng.integers(1, 100, (20, 10))),
        "jssp": lambda: JobShop(
            tuple(tuple(zip(rng.permutation(8).tolist(), rng.integers(1, 99, 8).tolist(), strict=True)) for _ in range(12)), 8
        ),
    }[kind]()


def degenerate() -> list[Instance]:
    """Brief 9.17."""
    zero = np.zeros((4, 4), np.int64)
    return [
        TSP([[0]]),
        TSP([[0, 3], [4, 0]]),
        TSP(zero),
        TSP([[0, 1, 9], [9, 0, 1], [1, 9, 0]]),
        CVRP([[0]], [0], 5),
        CVRP([[0, 2], [3, 0]], [0, 0], 0),
        CVRP(zero, [0, 5, 5, 5], 5, fleet=3),
        Knapsack([], [], 10),
        Knapsack([3, 4], [1, 2], 0),
        Knapsack([3, 0, 7], [0, 0, 90], 10),
        BinPacking([], 10),
        BinPacking([10, 10, 10], 10),
        BinPacking([0, 0], 0),
        FlowShop([[4, 2, 3]]),
        FlowShop([[4], [2]]),
        FlowShop(np.zeros((3, 2), np.int64)),
        JobShop((((0, 5),),), 1),
        JobShop((((0, 0), (0, 0)), ((0, 0),)), 1),
        JobShop((((0, 2), (0, 3)), ((0, 4),)), 2),
    ]


def best(instance: Instance) -> int | None:
    """By enumeration; None: there is no plan."""
    if isinstance(instance, TSP):
        return min(objective(instance, (0, *rest)) for rest in permutations(range(1, instance.size)))
    if isinstance(instance, CVRP):
        return min((objective(instance, plan) for plan in _routes(instance)), default=None)
    if isinstance(instance, Knapsack):
        choices = (np.array(bits, bool) for bits in product((0, 1), repeat=instance.size))
        return max(int(instance.values[bits].sum()) for bits in choices if instance.weights[bits].sum() <= instance.capacity)
    if isinstance(instance, BinPacking):
        return min(used for used in range(instance.size + 1) if _packs(instance, used))
    if isinstance(instance, FlowShop):
        return min(objective(instance, order) for order in permutations(range(instance.size)))
    return _shortest(instance)


def _routes(instance: CVRP):
    for order in permutations(range(1, instance.size + 1)):
        for cuts in product((0, 1), repeat=instance.size - 1):
            routes, route = [], [order[0]]
            for customer, cut in zip(order[1:], cuts, strict=True):
                if cut:
                    routes.append(tuple(route))
                    route = []
                route.append(customer)
            routes.append(tuple(route))
            loads = [int(instance.demands[list(one)].sum()) for one in routes]
            if max(loads) <= instance.capacity and (instance.fleet is None or len(routes) <= instance.fleet):
                yield tuple(routes)


def _packs(instance: BinPacking, used: int) -> bool:
    if instance.size == 0 or used == 0:
        return instance.size == 0
    for place in product(range(used), repeat=instance.size - 1):
        if np.bincount((0, *place), weights=instance.weights).max() <= instance.capacity:
            return True
    return False


def _shortest(instance: JobShop) -> int:
    def walk(done: tuple[int, ...], ready: tuple[int, ...], free: tuple[int, ...]) -> int:
        values = []
        for j, job in enumerate(instance.jobs):
            if done[j] < len(job):
                machine, time = job[done[j]]
                end = max(ready[j], free[machine]) + time
                values.append(walk(_put(done, j, done[j] + 1), _put(ready, j, end), _put(free, machine, end)))
        return min(values) if values else max(ready)

    return walk((0,) * len(instance.jobs), (0,) * len(instance.jobs), (0,) * instance.machines)


def _put(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])
