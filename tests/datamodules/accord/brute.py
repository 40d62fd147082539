"""Optima of small instances by enumeration, written from the definitions and with no code of the package: (objective, plan).

`optimum(instance)` serves all kinds. Sizes that take well under a second: tsp 8 nodes, cvrp 7 customers, knapsack 12 items,
binpack 8 items, pfsp 7 jobs, jssp 3 jobs of 3 operations (4x3 in about a second).
"""

from functools import lru_cache
from itertools import permutations

__all__ = ["optimum"]


def optimum(instance):
    """(objective, plan); cvrp: (None, None) where the fleet is too small for any plan."""
    return {"tsp": tsp, "cvrp": cvrp, "knapsack": knapsack, "binpack": binpack, "pfsp": pfsp, "jssp": jssp}[instance.kind](instance)


def tsp(instance):
    d = instance.distances.tolist()
    best = None
    for rest in permutations(range(1, len(d))):
        tour = (0, *rest)
        cost = sum(d[a][b] for a, b in zip(tour, (*rest, 0), strict=True))
        if best is None or cost < best[0]:
            best = (cost, tour)
    return best


def cvrp(instance):
    d, q, n = instance.distances.tolist(), instance.demands.tolist(), instance.size
    fleet = n if instance.fleet is None else instance.fleet
    routes = {}  # the best one of each set of customers that fits
    for mask in range(1, 1 << n):
        members = [i + 1 for i in range(n) if mask >> i & 1]
        if sum(q[i] for i in members) <= instance.capacity:
            routes[mask] = min((sum(d[a][b] for a, b in zip((0, *way), (*way, 0), strict=True)), way) for way in permutations(members))

    @lru_cache(None)
    def rest(mask, vehicles):
        if mask == 0:
            return 0, ()
        lowest, best = mask & -mask, (None, None)
        if vehicles == 0:
            return best
        part = mask
        while part:
            if part & lowest and part in routes:
                cost, plan = rest(mask ^ part, vehicles - 1)
                if cost is not None and (best[0] is None or cost + routes[part][0] < best[0]):
                    best = cost + routes[part][0], (routes[part][1], *plan)
            part = (part - 1) & mask
        return best

    return rest((1 << n) - 1, fleet)


def knapsack(instance):
    v, w, n = instance.values.tolist(), instance.weights.tolist(), instance.size
    best = (0, ())
    for mask in range(1 << n):
        items = tuple(i for i in range(n) if mask >> i & 1)
        if sum(w[i] for i in items) <= instance.capacity and (value := sum(v[i] for i in items)) > best[0]:
            best = (value, items)
    return best


def binpack(instance):
    w, best = instance.weights.tolist(), [None]

    def place(item, bins):
        if best[0] is not None and len(bins) >= best[0][0]:
            return
        if item == len(w):
            best[0] = (len(bins), tuple(map(tuple, bins)))
            return
        for at in range(len(bins)):
            if sum(w[i] for i in bins[at]) + w[item] <= instance.capacity:
                place(item + 1, [*bins[:at], [*bins[at], item], *bins[at + 1 :]])
        place(item + 1, [*bins, [item]])

    place(0, [])
    return best[0]


def pfsp(instance):
    times, best = instance.times.tolist(), None
    for order in permutations(range(len(times))):
        done = [0] * len(times[0])
        for job in order:
            for k, time in enumerate(times[job]):
                done[k] = max(done[k], done[k - 1] if k else 0) + time
        if best is None or done[-1] < best[0]:
            best = (done[-1], order)
    return best


def jssp(instance):
    jobs = instance.jobs

    @lru_cache(None)
    def rest(ready, free, at):
        """Least makespan of what is left, and the jobs in the order of their operations."""
        if all(i == len(job) for i, job in zip(at, jobs, strict=True)):
            return max(ready), ()
        best = None
        for j, job in enumerate(jobs):
            if at[j] < len(job):
                machine, time = job[at[j]]
                end = max(ready[j], free[machine]) + time
                after = rest(_put(ready, j, end), _put(free, machine, end), _put(at, j, at[j] + 1))
                if best is None or after[0] < best[0]:
                    best = (after[0], (j, *after[1]))
        return best

    span, order = rest((0,) * len(jobs), (0,) * instance.machines, (0,) * len(jobs))
    ready, free, starts = [0] * len(jobs), [0] * instance.machines, [[] for _ in jobs]
    for j in order:
        machine, time = jobs[j][len(starts[j])]
        starts[j].append(max(ready[j], free[machine]))
        ready[j] = free[machine] = starts[j][-1] + time
    return span, tuple(map(tuple, starts))


def _put(values, at, value):
    return (*values[:at], value, *values[at + 1 :])
