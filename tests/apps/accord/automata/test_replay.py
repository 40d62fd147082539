"""Plans as actions: open at every step, and no worse than the plan (ACCORD brief 9, property 5)."""

import numpy as np
import pytest

from apps.accord.automata import automaton, certified, replayed
from datamodules.accord.checker import check
from datamodules.accord.instances import KINDS, MAXIMISED, BinPacking, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems
from tests.datamodules.accord.brute import optimum


def random_plan(kind, instance, g):
    """A feasible plan that is neither canonical nor tight."""
    if kind in ("tsp", "pfsp"):
        return tuple(g.permutation(instance.size).tolist())
    if kind == "jssp":  # any order of the operations, and late
        starts, job_free, machine_free = [[] for _ in instance.jobs], [0] * instance.size, [0] * instance.machines
        for j in g.permutation([j for j, job in enumerate(instance.jobs) for _ in job]):
            machine, time = instance.jobs[j][len(starts[j])]
            starts[j].append(max(job_free[j], machine_free[machine]) + int(g.integers(0, 5)))
            job_free[j] = machine_free[machine] = starts[j][-1] + time
        return tuple(map(tuple, starts))
    weights = instance.demands if kind == "cvrp" else instance.weights
    parts, room = [[]], instance.capacity
    for item in g.permutation(len(weights)).tolist():
        if kind == "cvrp" and item == 0:
            continue
        if kind == "knapsack" and (weights[item] > room or g.random() < 0.3):
            continue
        if weights[item] > room or (kind != "knapsack" and g.random() < 0.2):
            parts.append([])
            room = instance.capacity
        parts[-1].append(item)
        room -= int(weights[item])
    return tuple(parts[0]) if kind == "knapsack" else tuple(tuple(part) for part in parts if part)


MACHINES = [(kind, {}) for kind in KINDS] + [("knapsack", {"end": "free"}), ("jssp", {"generator": "semi"})]


@pytest.mark.parametrize("randomised", [False, True])
@pytest.mark.parametrize(("kind", "options"), MACHINES)
def test_any_plan_is_replayed_along_open_actions_and_gets_no_worse(kind, options, randomised):
    machine, g = automaton(kind, **options), np.random.default_rng(2)
    instances = problems.many(kind, count=60, high=12)
    plans = [random_plan(kind, one, g) for one in instances]
    batch = pack(instances)
    actions = replayed(machine, batch, instances, plans, np.random.default_rng(3) if randomised else None)
    state = problems.followed(machine, batch, actions)
    assert machine.done(batch, state).all()
    for instance, plan, objective in zip(instances, plans, machine.objective(batch, state)[:, 0].tolist(), strict=True):
        before = check(instance, plan)
        assert before.feasible
        if kind in ("tsp", "cvrp", "pfsp"):
            assert objective == before.objective
        else:
            assert objective >= before.objective if kind in MAXIMISED else objective <= before.objective


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimal_plan_keeps_its_objective(kind):
    machine, g = automaton(kind), np.random.default_rng(4)
    for _ in range(12):
        instance = problems.jssp(g, 3) if kind == "jssp" else problems.MAKERS[kind](g, 5)
        best, plan = optimum(instance)
        batch = pack([instance])
        state = problems.followed(machine, batch, replayed(machine, batch, [instance], [plan]))
        assert machine.objective(batch, state).item() == best


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_is_replayed_as_itself(kind):
    machine = automaton(kind)
    instances = problems.many(kind, count=20)
    actions, _ = problems.rolled(machine, pack(instances), 1)
    for instance, row in zip(instances, actions[:, 0].tolist(), strict=True):
        plan = machine.plan(instance, row)
        again = machine.plan(instance, machine.replay(instance, plan))
        if kind in ("pfsp", "knapsack", "jssp"):
            assert again == plan
        elif kind == "tsp":
            assert again == plan[plan.index(0) :] + plan[: plan.index(0)]
        elif kind == "cvrp":
            assert sorted(again) == sorted(plan)
        else:
            assert machine.plan(instance, machine.replay(instance, again)) == again  # once canonical, it stays


def test_a_plan_is_a_certificate_of_its_own_fleet():
    machine, g = automaton("cvrp"), np.random.default_rng(6)
    instances = [problems.cvrp(g, 6, capacity=12) for _ in range(20)]
    plans = [optimum(one)[1] for one in instances]
    instances = [one.with_fleet(max(1, len(plan))) for one, plan in zip(instances, plans, strict=True)]
    batch = certified(pack(instances), plans)
    state = problems.followed(machine, batch, replayed(machine, batch, instances, plans, g))
    assert machine.done(batch, state).all()
    assert not state["stuck"].any()


def test_a_wrong_certificate_is_not_believed():
    machine, instance = automaton("cvrp"), problems.cvrp(np.random.default_rng(0), 6, fleet=6, capacity=12)
    assert instance.demands.sum() > 12
    for plan in ([(1, 2, 3, 4, 5, 6)], [*[(i,) for i in range(1, 6)], (), (6,)]):  # too much for one; a seventh vehicle
        batch = certified(pack([instance]), [plan])
        slot = machine.reset(batch, 1)["slot"][0, 0].numpy()
        assert slot.max() < 6
        assert np.bincount(slot, instance.demands).max() <= 12
        actions, _ = problems.rolled(machine, batch, 5)
        assert all(check(instance, machine.plan(instance, row)).feasible for row in actions[0].tolist())


def test_rounds_turn_and_reverse_by_chance():
    instance = problems.tsp(np.random.default_rng(0), 6)
    g = np.random.default_rng(1)
    seen = {tuple(automaton("tsp").replay(instance, (0, 1, 2, 3, 4, 5), g)) for _ in range(200)}
    assert len(seen) == 12
    crooked = problems.tsp(np.random.default_rng(0), 6, symmetric=False)
    assert len({tuple(automaton("tsp").replay(crooked, (0, 1, 2, 3, 4, 5), g)) for _ in range(100)}) == 6


def test_routes_go_round_the_depot():
    instance = problems.cvrp(np.random.default_rng(0), 8)
    plan = tuple((i,) for i in range(1, 9))
    actions = automaton("cvrp").replay(instance, plan)
    ways = instance.xy[[a for a in actions if a]] - instance.xy[0]
    angles = np.arctan2(ways[:, 1], ways[:, 0])
    assert (np.diff(angles) >= 0).all()
    assert actions[1::2] == [0] * 7


def test_a_sack_with_room_is_filled():
    instance = Knapsack([5, 4, 3, 0], [2, 2, 2, 1], 7)
    assert automaton("knapsack").replay(instance, (1,)) == [2, 1, 3]
    assert automaton("knapsack", end="free").replay(instance, (1,)) == [2, 0]


def test_bins_are_filled_from_the_later_ones():
    instance = BinPacking([6, 4, 4, 2], 10)
    assert automaton("binpack").replay(instance, ((0,), (3, 2), (1,))) == [1, 2, 0, 3, 4]


def test_a_late_schedule_is_moved_to_the_left():
    instance = JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4))), 2)
    machine = automaton("jssp")
    assert machine.plan(instance, machine.replay(instance, ((10, 20), (30, 40)))) == ((0, 3), (0, 3))
