"""Random feasible plans, written from the definitions: for tests that need one that nobody tuned."""

import random

__all__ = ["random_plan"]


def random_plan(instance, seed):
    """Any order that the rules allow; a fleet limit may be broken."""
    rng = random.Random(seed)
    order = list(range(instance.size))
    rng.shuffle(order)
    if instance.kind in ("tsp", "pfsp"):
        return tuple(order)
    if instance.kind == "cvrp":
        return _groups([customer + 1 for customer in order], instance.demands.tolist(), instance.capacity)
    if instance.kind == "binpack":
        return _groups(order, instance.weights.tolist(), instance.capacity)
    if instance.kind == "knapsack":
        weights, room, taken = instance.weights.tolist(), instance.capacity, []
        for item in order:
            if weights[item] <= room:
                room -= weights[item]
                taken.append(item)
        return tuple(sorted(taken))
    turns = [job for job, operations in enumerate(instance.jobs) for _ in operations]
    rng.shuffle(turns)
    ready, free, starts = [0] * instance.size, {}, [[] for _ in instance.jobs]
    for job in turns:
        machine, time = instance.jobs[job][len(starts[job])]
        starts[job].append(max(ready[job], free.get(machine, 0)) + rng.randrange(3))  # with a pause now and then
        ready[job] = free[machine] = starts[job][-1] + time
    return tuple(map(tuple, starts))


def _groups(ids, sizes, capacity):
    groups, room = [], -1
    for one in ids:
        if sizes[one] > room:
            groups.append([])
            room = capacity
        room -= sizes[one]
        groups[-1].append(one)
    return tuple(map(tuple, groups))
