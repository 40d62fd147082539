"""Shapes: B instances, S rollouts, T steps, A actions."""

import itertools

import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.decoding import beam, decode
from apps.accord.decoding.beam import surpassed
from apps.accord.decoding.choosing import choose, log_probs
from apps.accord.decoding.noise import gumbel, keyed
from apps.accord.decoding.symmetries import mirrored
from core_attention.lora import LoRAStack
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.made import KINDS, SMALLER, instances, mixed, random_network

SAMPLED = {"greedy": False, "rollouts": 3}


def judged(kind: str, some: list, found, rules) -> None:
    """The independent checker accepts every finished rollout and finds the same objective."""
    for b, one in enumerate(some):
        for s in range(found.actions_BST.shape[1]):
            if found.finished_BS[b, s]:
                report = check(one, rules.plan(one, found.actions_BST[b, s].tolist()))
                assert report.feasible, report.violations
                assert report.objective == found.objective_BS[b, s]


def degenerate(kind: str) -> list:
    return {
        "tsp": [TSP([[0]]), TSP([[0, 2], [3, 0]]), TSP([[0] * 4] * 4)],
        "cvrp": [CVRP([[0]], [0], 5), CVRP([[0, 1], [1, 0]], [0, 0], 0), CVRP([[0] * 3] * 3, [0, 4, 4], 5, fleet=2)],
        "knapsack": [Knapsack([], [], 5), Knapsack([3, 4], [1, 2], 0), Knapsack([0, 5, 7], [1, 0, 99], 9)],
        "binpack": [BinPacking([], 5), BinPacking([5, 5, 5], 5), BinPacking([0, 0, 3], 3)],
        "pfsp": [FlowShop([[4]]), FlowShop([[0, 0], [0, 0]]), FlowShop([[3], [2], [1]])],
        "jssp": [JobShop((((0, 4),),), 1), JobShop((((0, 0), (0, 0)), ((0, 3),)), 1), JobShop((((1, 2), (0, 0), (1, 2)), ((0, 1),)), 2)],
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("history", [False, True])
def test_whatever_the_weights_every_answer_is_feasible(kind, history):
    rules = automaton(kind)
    some = [*instances(kind, 12, seed=1), *mixed(kind), *degenerate(kind)]
    network, batch = random_network(history=history), pack(some)
    for found in (decode(network, rules, batch), decode(network, rules, batch, **SAMPLED, temperature=3.0), beam(network, rules, batch, 3)):
        assert found.finished_BS[:, 0].all()
        judged(kind, some, found, rules)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [{}, {"history": True}])
def test_an_answer_depends_neither_on_batch_mates_nor_on_padding(kind, config):
    network, rules, some = random_network(**config), automaton(kind), [*mixed(kind), *degenerate(kind)]
    seeds = torch.arange(len(some)) + 40
    together = decode(network, rules, pack(some), **SAMPLED, seeds_B=seeds)
    for b, one in enumerate(some):
        alone = decode(network, rules, pack([one]), **SAMPLED, seeds_B=seeds[b : b + 1])
        steps = alone.actions_BST.shape[2]
        assert torch.equal(together.actions_BST[b : b + 1, :, :steps], alone.actions_BST)
        assert (together.actions_BST[b, :, steps:] == -1).all()
        assert torch.equal(together.objective_BS[b : b + 1], alone.objective_BS)
        torch.testing.assert_close(together.logp_BS[b : b + 1], alone.logp_BS, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_more_rollouts_leave_the_earlier_ones_as_they_are(kind):
    network, rules, batch = random_network(), automaton(kind), pack(instances(kind))
    few, many = (decode(network, rules, batch, greedy=False, rollouts=count).objective_BS for count in (3, 9))
    assert torch.equal(many[:, :3], few)


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "binpack", "jssp"])
@pytest.mark.parametrize("config", [{}, {"history": True}])
def test_the_chances_of_all_plans_add_up_to_one(kind, config):
    network, rules = random_network(**config), automaton(kind)
    found = beam(network, rules, pack(instances(kind, 3, SMALLER)), 64)  # wide enough for all
    assert 1 < found.finished_BS.sum(1).max() < 64
    chances_BS = torch.where(found.finished_BS, found.logp_BS.exp(), 0.0)
    torch.testing.assert_close(chances_BS.sum(1), torch.ones(3), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [{}, {"history": True}])
def test_a_decode_and_a_beam_agree_on_the_chance_of_a_plan(config):
    network, rules, batch = random_network(**config), automaton("tsp"), pack(instances("tsp", 3, SMALLER))
    all_plans = beam(network, rules, batch, 64)
    sampled = decode(network, rules, batch, greedy=False, rollouts=5)
    for b, s in itertools.product(range(3), range(5)):
        (same,) = (all_plans.actions_BST[b] == sampled.actions_BST[b, s]).all(1).nonzero().flatten().tolist()
        torch.testing.assert_close(all_plans.logp_BS[b, same], sampled.logp_BS[b, s], rtol=1e-5, atol=1e-5)


def test_forced_steps_have_log_prob_zero_and_cost_nothing_where_the_state_is_all():
    rules, batch = automaton("binpack"), pack([BinPacking([7, 7, 7, 7], 10)])  # every step is forced
    for history in (False, True):
        network, calls = random_network(history=history), []
        step = network.step
        network.step = lambda *args, step=step, calls=calls: calls.append(1) or step(*args)
        found = decode(network, rules, batch)
        assert found.logp_BS.item() == 0.0
        assert len(calls) == (found.actions_BST.shape[2] if history else 0)


def test_samples_follow_the_softmax():
    torch.manual_seed(0)
    logits, mask = torch.randn(1, 1, 5), torch.tensor([[[True, True, False, True, True]]])
    count = 20000
    noise = gumbel(
        keyed(torch.zeros(1, 1, dtype=torch.int64), torch.arange(count).view(1, -1)), torch.zeros(1, count, dtype=torch.int64), 5
    )
    logp = log_probs(logits, mask, 0.7)
    action, chance = choose(logp.expand(1, count, 5), mask.expand(1, count, 5), noise)
    expected = torch.where(mask, logits / 0.7, -torch.inf).softmax(2)[0, 0]
    assert (action[0].bincount(minlength=5) / count - expected).abs().max() < 0.02
    torch.testing.assert_close(chance[0], expected.log()[action[0]])


def test_noise_is_finite_and_of_gumbels_mean_and_spread():
    noise = gumbel(torch.arange(500).view(1, -1), torch.zeros(1, 500, dtype=torch.int64), 400)
    assert torch.isfinite(noise).all()
    assert abs(noise.mean().item() - 0.5772) < 0.01
    assert abs(noise.var().item() - 1.6449) < 0.03
    assert torch.equal(gumbel(torch.arange(500).view(1, -1), torch.zeros(1, 500, dtype=torch.int64), 300), noise[:, :, :300])


def test_masked_logits_have_a_gradient_of_zero():
    logits = torch.tensor([[[1.0, 5.0, 2.0]]], requires_grad=True)
    log_probs(logits, torch.tensor([[[True, False, True]]]), 1.0)[0, 0, 0].backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 1] == 0
    assert torch.isfinite(logits.grad).all()


def test_a_cold_sample_is_the_greedy_choice():
    network, rules, batch = random_network(), automaton("pfsp"), pack(instances("pfsp"))
    cold = decode(network, rules, batch, greedy=False, temperature=1e-4)
    assert torch.equal(cold.actions_BST, decode(network, rules, batch).actions_BST)


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "pfsp"])
def test_every_start_is_taken(kind):
    network, rules, some = random_network(), automaton(kind), mixed(kind)
    batch = pack(some)
    found = decode(network, rules, batch, starts=True)
    for b, one in enumerate(some):
        first = [node + (kind == "cvrp") for node in range(one.size)]
        assert found.actions_BST[b, :, 0].tolist() == first + first[:1] * (found.actions_BST.shape[1] - len(first))
    twice = decode(network, rules, batch, starts=True, greedy=False, rollouts=2)
    assert torch.equal(twice.actions_BST[:, ::2, 0], found.actions_BST[:, :, 0])
    judged(kind, some, twice, rules)


def test_a_round_trip_begins_at_node_0():
    assert (decode(random_network(), automaton("tsp"), pack(instances("tsp"))).actions_BST[:, :, 0] == 0).all()


def test_all_starts_keep_to_a_hard_fleet():
    one = CVRP([[0] * 5] * 5, [0, 3, 3, 2, 2], 5, fleet=2)  # 3 goes with 2, or nothing fits
    found = decode(random_network(), automaton("cvrp"), pack([one]), starts=True, augment=2)
    assert found.finished_BS.all()
    judged("cvrp", [one], found, automaton("cvrp"))


@pytest.mark.parametrize("kind", ["tsp", "cvrp"])
def test_symmetries_turn_the_plane_and_not_the_costs(kind):
    network, rules, some = random_network(), automaton(kind), instances(kind)
    batch = pack(some)
    found = decode(network, rules, batch, augment=8)
    assert found.objective_BS.shape == (4, 8)
    judged(kind, some, found, rules)
    assert torch.equal(found.objective_BS[:, :1], decode(network, rules, batch).objective_BS)
    views = mirrored(batch, 8)["xy"].view(4, 8, -1, 2)
    assert len({tuple(view.flatten().tolist()) for view in views[0]}) == 8
    lengths = torch.cdist(views, views, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(lengths, lengths[:, :1].expand_as(lengths))


def test_symmetries_starts_and_rollouts_have_noise_of_their_own():
    found = decode(random_network(), automaton("tsp"), pack([TSP([[0] * 7] * 7)]), starts=True, augment=2, rollouts=2, greedy=False)
    assert found.actions_BST.shape == (1, 2 * 7 * 2, 7)
    after_first = {tuple(row[1:].tolist()) for row in found.actions_BST[0]}
    assert len(after_first) > 20  # the symmetries of a tour without a plane are told apart by their noise alone


def test_stop_gives_what_is_finished():
    some = [*instances("binpack", 1), *instances("binpack", 1, SMALLER)]
    network, rules, asked = random_network(), automaton("binpack"), []
    whole = decode(network, rules, pack(some))
    steps = (whole.actions_BST >= 0).sum(2)[:, 0].tolist()
    assert steps[1] < steps[0]
    for history in (False, True):
        asked = []
        limit = steps[1] if history else 10**6

        def stop(asked=asked, limit=limit) -> bool:
            asked.append(1)
            return len(asked) > limit

        found = decode(random_network(history=history), rules, pack(some), stop=stop)
        if history:
            assert not found.finished_BS[0, 0]
            judged("binpack", some, found, rules)
    nothing = decode(network, rules, pack(some), stop=lambda: True)
    assert not nothing.finished_BS.any()
    assert nothing.actions_BST.shape == (2, 1, 0)


def test_a_stuck_instance_is_said_to_be():
    impossible = CVRP([[0] * 4] * 4, [0, 3, 3, 3], 5, fleet=2)
    found = decode(random_network(), automaton("cvrp"), pack([impossible, *instances("cvrp", 1)]), **SAMPLED)
    assert found.stuck_BS.tolist() == [[True] * 3, [False] * 3]
    assert found.finished_BS.tolist() == [[False] * 3, [True] * 3]


@pytest.mark.parametrize("kind", KINDS)
def test_unmasked_a_broken_rollout_is_not_finished(kind):
    network, rules, some = random_network(), automaton(kind, masked=False), instances(kind, 8)
    found = decode(network, rules, pack(some), greedy=False, rollouts=4)
    for b, one in enumerate(some):
        for s in range(4):
            plan = rules.plan(one, found.actions_BST[b, s].tolist())
            assert check(one, plan).feasible or not found.finished_BS[b, s]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_plan():
    network, rules, batch = random_network(), automaton("jssp"), pack(instances("jssp", 8))
    one, other, third = (decode(network, rules, batch, **SAMPLED, seeds_B=torch.full((8,), seed)) for seed in (7, 7, 8))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one.actions_BST, third.actions_BST)


def test_decoding_takes_the_kinds_own_adapter_unless_told_otherwise():
    network, rules, batch = random_network(), automaton("tsp"), pack(instances("tsp"))
    own = decode(network, rules, batch)
    assert torch.equal(own.logp_BS, decode(network, rules, batch, routes=torch.zeros(4, dtype=torch.int64)).logp_BS)
    none = decode(network, rules, batch, routes=torch.full((4,), -1))
    assert not torch.allclose(own.logp_BS, none.logp_BS)
    either = decode(network, rules, batch, routes=torch.tensor([0, -1, 0, -1]), augment=2)
    torch.testing.assert_close(either.logp_BS[::2, :1], own.logp_BS[::2], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(either.logp_BS[1::2, :1], none.logp_BS[1::2], rtol=1e-5, atol=1e-5)
    assert all(stack.merged < 0 for stack in network.modules() if isinstance(stack, LoRAStack))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [{}, {"history": True, "state": "predicted"}])
def test_a_beam_of_one_is_greedy(kind, config):
    network, rules, batch = random_network(**config), automaton(kind), pack(mixed(kind))
    found, greedy = beam(network, rules, batch, 1), decode(network, rules, batch)
    assert torch.equal(found.actions_BST, greedy.actions_BST)
    torch.testing.assert_close(found.logp_BS, greedy.logp_BS, rtol=1e-5, atol=1e-5)


def test_beams_of_the_knapsack_hold_different_items():
    some = instances("knapsack", 4)
    found = beam(random_network(), automaton("knapsack"), pack(some), 16)
    for b, one in enumerate(some):
        plans = [
            automaton("knapsack").plan(one, row.tolist())
            for row, done in zip(found.actions_BST[b], found.finished_BS[b], strict=True)
            if done
        ]
        assert len(plans) == len(set(plans)) > 1


@pytest.mark.parametrize("kind", ["knapsack", "pfsp"])
def test_merges_lose_no_optimum(kind):
    for one in instances(kind, 3, SMALLER):
        found = beam(random_network(), automaton(kind), pack([one]), 200)
        best = found.objective_BS[found.finished_BS]
        everything = decode(random_network(), automaton(kind), pack([one]), greedy=False, rollouts=500, temperature=20.0).objective_BS
        assert (best.max() == everything.max()) if kind == "knapsack" else (best.min() == everything.min())


def test_of_two_fronts_the_one_that_is_nowhere_later_goes_on():
    left = torch.tensor([[[True, False]] * 4 + [[False, True]]])
    front = torch.tensor([[[3, 5], [3, 6], [2, 9], [3, 5], [9, 9]]])
    assert surpassed("pfsp", {"left": left, "front": front}, torch.ones(1, 5, dtype=torch.bool)).tolist() == [
        [False, True, False, True, False]
    ]
    alive = torch.tensor([[False, True, True, True, True]])
    assert surpassed("pfsp", {"left": left, "front": front}, alive).tolist() == [[False, True, False, False, False]]


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("tsp", {"rollouts": 0}, "at least 1"),
        ("tsp", {"rollouts": 2}, "all alike"),
        ("tsp", {"temperature": 0.0}, "above 0"),
        ("tsp", {"augment": 9}, r"1\.\.8"),
        ("pfsp", {"augment": 2}, "no coordinates"),
        ("knapsack", {"starts": True}, "use rollouts"),
        ("tsp", {"seeds_B": torch.zeros(3, dtype=torch.int64)}, "for 4 instances"),
    ],
)
def test_what_cannot_be_decoded_is_refused(kind, options, words):
    with pytest.raises(ValueError, match=words):
        decode(random_network(), automaton(kind), pack(instances(kind)), **options)
    with pytest.raises(ValueError, match="at least 1 wide"):
        beam(random_network(), automaton(kind), pack(instances(kind)), 0)
