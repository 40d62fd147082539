"""The parts that methods are made of: tables, moves, lists of states, patterns; each against the plain computation."""

from random import Random

import numpy as np
import torch

from datamodules.accord.instances import CVRP, TSP, BinPacking, Knapsack
from datamodules.accord.packs import pack
from datamodules.accord.references import METHODS, batch_labels
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.fill import fill, slack_packing
from datamodules.accord.references.binpack.patterns import patterns
from datamodules.accord.references.cvrp.ruin import Routes
from datamodules.accord.references.jssp.graph import Orders, Shop
from datamodules.accord.references.objective import objective
from datamodules.accord.references.pfsp.insertion import insert, makespans, prices, remove
from datamodules.accord.references.tsp.two_opt import Round
from tests.datamodules.accord.references.made import drawn, larger


def test_insertion_tables_price_every_place_as_the_whole_sequence_does():
    rng = np.random.default_rng(1)
    times = rng.integers(0, 50, (7, 4))
    order_BK = np.stack([rng.permutation(7)[:6] for _ in range(3)])
    job_B = np.array([(set(range(7)) - set(row)).pop() for row in order_BK.tolist()])
    table = prices(times, order_BK, job_B)
    for place in range(7):
        whole = insert(order_BK, np.full(3, place), job_B)
        assert (makespans(times, whole) == table[:, place]).all()
        assert (remove(whole, np.full(3, place)) == order_BK).all()


def test_a_round_s_gains_are_its_changes_of_length():
    distances = larger("tsp").distances
    way = Round(distances, list(range(40)))
    before = objective(TSP(distances), tuple(way.order))
    random = Random(3)
    for _ in range(60):
        first = random.randrange(20)
        lost, joints = way.swap_segments(first, first + 1 + random.randrange(9), first + 11)
        gained = way.descend(joints)
        after = objective(TSP(distances), tuple(way.order))
        assert after == before + lost - gained
        assert sorted(way.order) == list(range(40))
        assert all(way.order[place] == node for node, place in enumerate(way.place))
        before = after


def test_ruin_and_recreate_keeps_count_of_lengths_and_loads():
    instance = larger("cvrp")
    assert isinstance(instance, CVRP)
    start = METHODS["cvrp"]["savings"](instance).plan or ()
    routes = Routes(instance, [list(route) for route in start], Random(1))
    value = objective(instance, start)
    for _ in range(200):
        kept = routes.saved()
        out, change = routes.ruin()
        assert len(set(out)) == len(out)
        back = routes.recreate(out)
        if back is None:
            routes.restore(kept)
            continue
        value += change + back
        plan = routes.plan()
        assert objective(instance, plan) == value
        assert sorted(c for route in plan for c in route) == list(range(1, 40))
        assert all(instance.demands[list(route)].sum() <= instance.capacity for route in plan)


def test_a_full_bin_is_found_where_there_is_one():
    weights = [50, 31, 29, 17, 11, 3]
    chosen = fill(weights, range(6), 45)
    assert sum(weights[i] for i in chosen) == 45  # 31 + 11 + 3
    assert fill(weights, range(6), 2) == []
    assert [sum(weights[i] for i in one) for one in slack_packing(weights, range(6), 61)] == [61, 60, 20]


def test_patterns_bound_what_the_sum_of_sizes_does_not():
    instance = BinPacking([4] * 12 + [7] * 5, 10)  # no pattern is full: 2 x 4, or 7
    attempt = Attempt(instance, "patterns")
    attempt.offer(tuple((item,) for item in range(17)))
    patterns(attempt)
    assert -(-int(instance.weights.sum()) // 10) < 11
    assert attempt.bound == attempt.objective == 11


def test_heads_and_tails_meet_in_the_makespan_and_circles_are_seen():
    instance = larger("jssp")
    shop = Shop(instance)
    plan = METHODS["jssp"]["mwkr"](instance).plan or ()
    orders = Orders(shop, plan)
    assert shop.plan(orders.head) == plan  # a rule's schedule is as early as its orders allow
    assert max(map(sum, zip(orders.head, orders.tail, strict=False))) == orders.makespan == objective(instance, plan)
    path = [o for block in orders.blocks(0.0) for o in block]
    assert sum(shop.time[o] for o in path) == orders.makespan
    for block in orders.blocks(0.5):
        if len(block) > 1:
            kept = orders.saved()
            orders.move_behind(block[0], block[1])
            assert orders.measure()
            orders.move_ahead(block[0], block[1])
            assert orders.saved() == kept
    o = shop.job_after.index(-1)  # some job's last operation ahead of everything, its first behind: waits for itself
    same = [p for p in range(shop.count) if shop.machine[p] == shop.machine[o]]
    assert len(same) == 12


def test_large_capacities_are_proven_without_a_table_over_them():
    rng = np.random.default_rng(5)
    instance = Knapsack(rng.integers(1, 10**9, 80), rng.integers(1, 10**9, 80), 20 * 10**9)
    values = {name: METHODS["knapsack"][name](instance) for name in ("core", "dominance", "exact")}
    assert {one.status for one in values.values()} == {"optimal"}
    assert len({one.objective for one in values.values()}) == 1


def test_batched_rounds_are_rounds_as_short_as_a_search_of_each_finds_of_small_ones():
    instances = [drawn("tsp", seed) for seed in range(0, 20, 2)] + [
        TSP([[0]]),
        TSP([[0, 1], [1, 0]]),
        TSP(larger("tsp").distances[:16, :16]),
    ]
    assert all(isinstance(one, TSP) for one in instances)
    plans = batch_labels("tsp", pack(instances))
    assert plans.dtype == torch.int64
    for instance, row in zip(instances, plans.tolist(), strict=True):
        assert sorted(row[: instance.size]) == list(range(instance.size))
        assert set(row[instance.size :]) <= {-1}
        if instance.size <= 7:
            assert objective(instance, tuple(row[: instance.size])) == METHODS["tsp"]["held_karp"](instance).objective
    two_opt = METHODS["tsp"]["two_opt"](instances[-1]).objective or 0
    assert objective(instances[-1], tuple(plans[-1].tolist())) <= two_opt
    assert (batch_labels("tsp", pack(instances)) == plans).all()


def test_cutting_planes_prove_rounds_beyond_the_subsets():
    solution = METHODS["tsp"]["cuts"](larger("tsp"))
    assert solution.status == "optimal"
    rng = np.random.default_rng(4)
    one_way = METHODS["tsp"]["cuts"](TSP(rng.integers(1, 100, (14, 14))))
    assert one_way.status == "optimal"


def test_a_hint_of_a_plan_is_kept_by_the_attempt_without_being_reported():
    instance = drawn("tsp", 0)
    seen = []
    attempt = Attempt(instance, "x", start=tuple(range(instance.size)), found=lambda plan, value: seen.append(value))
    assert attempt.answer().source == "start"
    assert not seen
