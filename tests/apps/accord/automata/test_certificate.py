"""Hard fleets: what keeps a certificate may happen, and only that."""

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.automata.certificate import first_fit, rooms, surely_fits
from apps.accord.automata.packing_search import packed
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems


def fits(sizes, rooms_):
    """Whether these sizes go into these rooms, by trying everything."""
    if not sizes:
        return True
    tried = set()
    for k, room in enumerate(rooms_):
        if room >= sizes[0] and room not in tried:
            tried.add(room)
            if fits(sizes[1:], [*rooms_[:k], room - sizes[0], *rooms_[k + 1 :]]):
                return True
    return False


def tight(g, customers, vehicles):
    """A fleet that fits, with little to spare."""
    demands = np.append(0, g.integers(1, 12, customers))
    low = max(int(demands.max()), -(-int(demands.sum()) // vehicles))
    sizes = sorted(demands[1:].tolist(), reverse=True)
    capacity = next(c for c in range(low, low + 40) if fits(sizes, [c] * vehicles))
    d, _ = problems.routed(g, customers + 1)
    return CVRP(d, demands, capacity, fleet=vehicles)


def test_an_open_action_can_always_be_completed_and_no_row_runs_out():
    machine, g = automaton("cvrp"), np.random.default_rng(0)
    instances = [tight(g, int(g.integers(3, 10)), int(g.integers(2, 4))) for _ in range(25)]
    batch = pack(instances)
    state = machine.reset(batch, 3)
    assert not state["stuck"].any()
    torch.manual_seed(0)
    opened = closed = wrongly_closed = 0
    while not machine.done(batch, state).all():
        mask = machine.mask(batch, state)
        for b, one in enumerate(instances):
            left = state["left"][b, 0].nonzero().flatten().tolist()
            room, later = state["room"][b, 0].item(), one.fleet - state["trips"][b, 0].item() - 1
            for i in left:
                if one.demands[i] > room:
                    continue
                rest = sorted((int(one.demands[k]) for k in left if k != i), reverse=True)
                possible = fits(rest, [room - int(one.demands[i])] + [one.capacity] * later)
                assert possible or not mask[b, 0, i]
                opened += int(mask[b, 0, i])
                closed += int(not mask[b, 0, i])
                wrongly_closed += int(possible and not mask[b, 0, i])
        state = machine.step(batch, state, torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1))
    assert closed > 20  # the fleet did matter
    assert wrongly_closed < 0.02 * opened  # first fit is no proof; it seldom costs a way


def test_the_certificate_of_every_state_serves_all_that_are_left():
    machine, g = automaton("cvrp"), np.random.default_rng(1)
    instances = [tight(g, int(g.integers(3, 14)), int(g.integers(2, 5))) for _ in range(30)]
    instances += [problems.cvrp(g, 12, fleet=40), problems.cvrp(g, 6)]
    batch = pack(instances)
    state = machine.reset(batch, 6)
    torch.manual_seed(0)
    while not machine.done(batch, state).all():
        for b, one in enumerate(instances):
            for s in range(6 if one.fleet else 0):
                left, slot, trips = state["left"][b, s], state["slot"][b, s], state["trips"][b, s].item()
                loads = torch.zeros(20, dtype=torch.int64).scatter_add(0, slot[left], batch["demands"][b][left])
                assert not left.any() or trips <= slot[left].min() <= slot[left].max() < one.fleet
                assert loads[trips] <= state["room"][b, s]
                assert (loads <= one.capacity).all()
        mask = machine.mask(batch, state)
        state = machine.step(batch, state, torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1))


def test_an_ample_fleet_closes_nothing():
    machine, g = automaton("cvrp"), np.random.default_rng(2)
    instances = [problems.cvrp(g, 10, capacity=15) for _ in range(10)]
    free, ample = pack(instances), pack([one.with_fleet(10) for one in instances])
    one, two = machine.reset(free, 4), machine.reset(ample, 4)
    torch.manual_seed(0)
    while not machine.done(free, one).all():
        mask = machine.mask(free, one)
        assert torch.equal(mask, machine.mask(ample, two))
        action = torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1)
        one, two = machine.step(free, one, action), machine.step(ample, two, action)
    assert torch.equal(one["cost"], two["cost"])


def test_the_exact_search_serves_fleets_that_first_fit_cannot():
    instance = CVRP(np.ones((7, 7)), [0, 5, 4, 3, 3, 3, 2], 10, fleet=2)  # 5 + 3 + 2 and 4 + 3 + 3; first fit puts the 4 to the 5
    machine, batch = automaton("cvrp"), pack([instance])
    free_RK = rooms(batch["capacity"], batch["capacity"], batch["fleet"] - 1, 2)
    _, served = first_fit(batch["demands"], batch["demands"] > 0, free_RK)
    assert not served.any()
    actions, state = problems.rolled(machine, batch, 50)
    assert not state["stuck"].any()
    assert all(check(instance, machine.plan(instance, row)).feasible for row in actions[0].tolist())


def test_what_surely_fits_does_fit_first_in_any_order():
    g = np.random.default_rng(3)
    sure_ones = 0
    for _ in range(400):
        demands = g.integers(0, 8, g.integers(1, 8))
        capacity, later = int(g.integers(8, 20)), int(g.integers(0, 4))
        now = int(g.integers(-1, capacity + 1))
        sure = surely_fits(*(torch.tensor([v]) for v in (int(demands.sum()), int(demands.max()), now, capacity, later))).item()
        bins = [now] + [capacity] * later
        for demand in demands if sure else []:
            place = next((k for k, room in enumerate(bins) if room >= demand), None)
            assert place is not None
            bins[place] -= int(demand)
        sure_ones += sure
    assert sure_ones > 50


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_search_finds_a_packing_exactly_where_there_is_one(seed):
    g = np.random.default_rng(seed)
    found = 0
    for _ in range(60):
        sizes = sorted(g.integers(0, 12, g.integers(1, 9)).tolist(), reverse=True)
        capacity, bins = int(g.integers(max(1, *sizes), 25)) if len(sizes) > 1 else 12, int(g.integers(1, 5))
        where = packed(sizes, capacity, bins, 10**6)
        assert bool(where) == fits(sizes, [capacity] * bins)
        if where:
            assert max(where) < bins
            assert all(sum(size for size, k in zip(sizes, where, strict=True) if k == one) <= capacity for one in set(where))
            found += 1
    assert 5 < found < 60


def test_the_exact_search_goes_back_over_whole_bins():
    g = np.random.default_rng(0)
    for _ in range(60):  # three to a bin, and almost nothing to spare
        first = g.integers(38, 50, 7)
        second = np.array([int(g.integers(25, (100 - one) // 2 + 1)) for one in first])
        third = 100 - first - second - (g.random(7) < 0.5)
        sizes = sorted([*first.tolist(), *second.tolist(), *third.tolist()], reverse=True)
        where = packed(sizes, 100, 7, 10**6)
        assert np.bincount(where, sizes, 7).max() <= 100


def test_the_exact_search_ends_with_its_budget():
    sizes = sorted(np.random.default_rng(0).integers(20, 50, 60).tolist(), reverse=True)
    assert packed(sizes, 101, -(-sum(sizes) // 101), 200) == []
