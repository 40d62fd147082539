"""A bound is never beyond the optimum: held against enumeration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.accord.bounds import bound, fewest_vehicles, proves
from datamodules.accord.instances import CVRP, MAXIMISED, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.synth import DISTRIBUTIONS, generate
from tests.datamodules.accord.brute import optimum

SMALL = {"tsp": 7, "cvrp": 6, "knapsack": 10, "binpack": 6, "pfsp": (5, 3), "jssp": (3, 3)}


def holds(instance):
    best, _ = optimum(instance)
    least = bound(instance)
    assert isinstance(least, int)
    assert best is None or (least >= best if instance.kind in MAXIMISED else least <= best)
    return best, least


@pytest.mark.parametrize(("kind", "dist"), [(kind, dist) for kind in DISTRIBUTIONS for dist in DISTRIBUTIONS[kind]])
def test_no_bound_of_a_made_instance_is_beyond_its_optimum(kind, dist):
    for instance in generate(kind, 6, SMALL[kind], seed=5, dist=dist):
        holds(instance)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.integers(0, 30), min_size=n * n, max_size=n * n)), st.booleans())
def test_no_bound_of_any_matrix_is_beyond_the_best_tour(numbers, symmetric):
    side = int(len(numbers) ** 0.5)
    d = np.array(numbers).reshape(side, side)
    holds(TSP(np.maximum(d, d.T) if symmetric else d))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 6).flatmap(lambda n: st.lists(st.integers(0, 30), min_size=n * n, max_size=n * n)),
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
    st.integers(9, 20),
    st.sampled_from([None, 2, 3]),
)
def test_no_bound_of_any_matrix_and_fleet_is_beyond_the_best_routes(numbers, demands, capacity, fleet):
    side = int(len(numbers) ** 0.5)
    instance = CVRP(np.array(numbers).reshape(side, side), [0, *demands[: side - 1]], capacity, fleet=fleet)
    best, _ = holds(instance)
    if best is None:
        assert fleet is not None


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=9), st.integers(0, 60))
def test_the_cut_knapsack_is_worth_no_less_than_the_whole(items, capacity):
    best, most = holds(Knapsack([v for v, _ in items], [w for _, w in items], capacity))
    allowed = [v for v, w in items if w <= capacity]
    assert most <= sum(allowed)
    assert most - best <= max(allowed, default=0), "the item that is cut is the only loss"


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 20), max_size=7), st.integers(20, 40))
def test_no_packing_has_fewer_bins_than_the_bound(weights, capacity):
    best, least = holds(BinPacking(weights, capacity))
    assert least >= -(-sum(weights) // capacity)
    assert least >= sum(2 * w > capacity for w in weights)
    assert (least == 0) == (best == 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3).flatmap(lambda m: st.lists(st.lists(st.integers(0, 9), min_size=m, max_size=m), min_size=1, max_size=5)))
def test_no_order_of_jobs_beats_the_bound(times):
    best, least = holds(FlowShop(times))
    if len(times[0]) <= 2 or len(times) == 1:
        assert least == best, "Johnson's rule is exact on two machines"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=3), min_size=1, max_size=3))
def test_no_schedule_beats_the_bound(jobs):
    best, least = holds(JobShop(tuple(map(tuple, jobs)), machines=3))
    if len(jobs) == 1:
        assert least == best


def test_jacksons_bound_sees_heads_and_tails():
    instance = JobShop((((1, 5), (0, 4)), ((2, 5), (0, 4))), machines=3)
    assert bound(instance) == optimum(instance)[0] == 13, "machine 0 alone would say 8, the longest job 9"


def test_the_one_tree_of_points_on_a_line_is_the_tour():
    x = np.array([0, 3, 7, 20, 21])
    instance = TSP(np.abs(x[:, None] - x[None]))
    assert bound(instance) == 42
    assert proves(instance, 42, bound(instance))
    assert not proves(instance, 43, bound(instance))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_tours_of_one_and_two_nodes_have_exact_bounds(size):
    instance = TSP(7 * (1 - np.eye(size, dtype=int)))
    assert bound(instance) == (0 if size == 1 else 7 * size)


def test_one_way_distances_are_bounded_by_the_assignment():
    far, near = 100, 1
    d = np.full((5, 5), far)
    for i in range(5):
        d[i, (i + 1) % 5] = near
    assert bound(TSP(d)) == 5


def test_numbers_near_the_limit_do_not_overflow():
    huge = 1 << 55
    assert 0 < bound(TSP(huge * (1 - np.eye(4, dtype=np.int64)))) <= 4 * huge
    instance = CVRP(huge * (1 - np.eye(3, dtype=np.int64)), [0, 1 << 58, 1 << 58], 1 << 58)
    assert 0 <= bound(instance) <= 4 * huge
    assert bound(Knapsack([huge + 1, huge], [huge, huge - 1], huge)) >= huge + 1


def test_large_demands_that_cannot_share_ask_for_more_vehicles_than_the_sum():
    instance = CVRP(np.ones((4, 4), int), [0, 6, 6, 6], 10)
    assert fewest_vehicles(instance) == 3


def test_a_route_for_each_customer_is_bounded_by_the_ways_there_and_back():
    star = np.full((5, 5), 100)
    star[0] = star[:, 0] = 1
    instance = CVRP(star, [0, 1, 1, 1, 1], 9)
    assert fewest_vehicles(instance) == 1
    assert bound(instance) == optimum(instance)[0] == 8, "though one vehicle could carry all"


def test_no_customers_no_items_cost_nothing():
    assert bound(CVRP([[0]], [0], 5)) == 0
    assert bound(Knapsack([], [], 5)) == 0
    assert bound(BinPacking([], 5)) == 0
    assert bound(BinPacking([0, 0], 5)) == 1
    assert bound(BinPacking([0], 0)) == 1
