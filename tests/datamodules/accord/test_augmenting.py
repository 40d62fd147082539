"""Every other view of a problem has the plan's other view as a feasible plan, and no worse."""

import numpy as np
import pytest

from datamodules.accord.active import left_shifted, makespan
from datamodules.accord.augmenting import arrange, augment
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, KINDS, TSP, Instance, JobShop
from datamodules.accord.packs import pack
from datamodules.accord.solution import Plan
from datamodules.accord.synth import generate

SIZES = {"tsp": 9, "cvrp": 10, "knapsack": 9, "binpack": 9, "pfsp": (6, 3), "jssp": (5, 4)}
VIEWS = 6


def anything(instance: Instance, rng: np.random.Generator) -> Plan:
    """Some feasible plan, no good one."""
    if instance.kind in ("tsp", "pfsp"):
        return tuple(rng.permutation(instance.size).tolist())
    if isinstance(instance, CVRP):
        return tuple((customer,) if customer % 2 else (customer, customer - 1) for customer in range(2, instance.size + 1, 2))
    if instance.kind == "knapsack":
        return tuple(np.flatnonzero(np.cumsum(instance.weights) <= instance.capacity).tolist())  # pyright: ignore
    if instance.kind == "binpack":
        return tuple((item,) for item in range(instance.size))
    assert isinstance(instance, JobShop)
    time, starts = 0, []
    for job in instance.jobs:  # one job after the other
        starts.append(tuple(time + sum(length for _, length in job[:i]) for i in range(len(job))))
        time += sum(length for _, length in job)
    return tuple(starts)


def cases(kind: str) -> list[tuple[Instance, Plan, np.random.Generator]]:
    return [
        (instance, anything(instance, np.random.default_rng(i)), np.random.default_rng(100 + i))
        for i, instance in enumerate(generate(kind, 5, SIZES[kind], seed=3))  # pyright: ignore[reportArgumentType]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_another_view_keeps_feasibility_and_objective(kind: str) -> None:
    for instance, plan, rng in cases(kind):
        objective = check(instance, plan).objective
        for _ in range(VIEWS):
            report = check(*augment(instance, plan, rng))
            assert report.feasible
            assert report.objective is not None
            assert objective is not None
            if kind == "jssp":
                assert report.objective <= objective
            else:
                assert report.objective == objective


@pytest.mark.parametrize("kind", KINDS)
def test_views_differ(kind: str) -> None:
    instance, plan, rng = cases(kind)[0]
    views = [augment(instance, plan, rng) for _ in range(VIEWS)]
    assert len({str(pack([view])["xy"].tolist() if kind in ("tsp", "cvrp") else pack([view])) + str(other) for view, other in views}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_randomness_gives_the_same_view(kind: str) -> None:
    instance, plan, _ = cases(kind)[0]
    (one, first), (other, second) = (augment(instance, plan, np.random.default_rng(1)) for _ in range(2))
    assert first == second
    assert all((left == right).all() for left, right in zip(pack([one]).values(), pack([other]).values(), strict=True))


@pytest.mark.parametrize("kind", ["tsp", "cvrp"])
def test_the_plane_is_turned_and_mirrored_as_a_whole(kind: str) -> None:
    for instance, plan, rng in cases(kind):
        view, _ = augment(instance, plan, rng)
        assert isinstance(instance, TSP | CVRP)
        assert isinstance(view, TSP | CVRP)
        assert instance.xy is not None
        assert view.xy is not None
        between = [np.linalg.norm(xy[:, None] - xy[None], axis=2) for xy in (instance.xy, view.xy)]
        assert np.allclose(*between)
        assert np.array_equal(instance.distances, view.distances)


def test_reversing_time_of_a_flow_shop_keeps_its_length() -> None:
    backwards = 0
    for instance, plan, rng in cases("pfsp"):
        for _ in range(VIEWS):
            view, _ = augment(instance, plan, rng)
            columns = np.sort(view.times, 0)  # pyright: ignore[reportAttributeAccessIssue]
            backwards += np.array_equal(columns, np.sort(instance.times, 0)[:, ::-1])  # pyright: ignore[reportAttributeAccessIssue]
    assert 5 < backwards < 25


def test_a_tour_of_one_way_distances_is_never_turned_round() -> None:
    rng = np.random.default_rng(0)
    instance = TSP(rng.integers(1, 100, (6, 6)))
    plan = (0, 1, 2, 3, 4, 5)
    length = check(instance, plan).objective
    assert all(check(*augment(instance, plan, rng)).objective == length for _ in range(20))


def test_routes_come_in_the_order_of_their_angles() -> None:
    xy = np.array([[0, 0], [1, 0.1], [0, 1], [-1, 0], [0, -1]])
    instance = CVRP(np.ones((5, 5), np.int64), np.array([0, 1, 1, 1, 1]), 1, xy=xy)
    assert arrange(instance, ((3,), (1,), (4,), (2,))) == ((1,), (2,), (3,), (4,))
    turned = {arrange(instance, ((3,), (1,), (4,), (2,)), np.random.default_rng(i)) for i in range(20)}
    assert turned == {tuple(((k + i) % 4 + 1,) for i in range(4)) for k in range(4)}


def test_operations_move_left_and_none_can_move_further() -> None:
    for instance, plan, _ in cases("jssp"):
        assert isinstance(instance, JobShop)
        shifted = left_shifted(instance.jobs, plan)
        assert check(instance, shifted).feasible
        assert all(new <= old for row, begun in zip(shifted, plan, strict=True) for new, old in zip(row, begun, strict=True))
        assert left_shifted(instance.jobs, shifted) == shifted
        assert makespan(instance, shifted) == check(instance, shifted).objective


def test_operations_without_length_keep_their_jobs_order() -> None:
    instance = JobShop((((0, 0), (0, 3), (0, 0)), ((0, 2), (1, 0))), 2)
    shifted = left_shifted(instance.jobs, ((5, 5, 8), (0, 9)))
    assert check(instance, shifted).feasible
    assert shifted == ((0, 2, 5), (0, 2))


def test_a_route_goes_the_way_round_in_which_routes_follow_one_another() -> None:
    xy = np.array([[0, 0], [2, 0], [2, 1], [1, 2]])  # against the clock
    instance = CVRP(np.ones((4, 4), np.int64), np.array([0, 1, 1, 1]), 3, xy=xy)
    assert arrange(instance, ((3, 2, 1),)) == arrange(instance, ((1, 2, 3),)) == ((1, 2, 3),)
    mirrored = CVRP(np.ones((4, 4), np.int64), np.array([0, 1, 1, 1]), 3, xy=xy[:, ::-1])
    assert arrange(mirrored, ((1, 2, 3),), np.random.default_rng(0)) == ((3, 2, 1),)


def test_a_route_of_one_way_distances_keeps_its_direction() -> None:
    distances = np.arange(16).reshape(4, 4)
    instance = CVRP(distances, np.array([0, 1, 1, 1]), 3, xy=np.array([[0, 0], [2, 0], [2, 1], [1, 2]]))
    assert arrange(instance, ((3, 2, 1),), np.random.default_rng(0)) == ((3, 2, 1),)
