"""Shapes: B instances, S rollouts, T steps, A actions."""

import copy

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.automata.trail import Trail, trail
from apps.accord.decoding import decode
from apps.accord.model import Accord, build
from apps.accord.options import SIZES, Net
from core_attention.lora import LoRAStack, merged
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from datamodules.accord.synth import generate
from tests.apps.accord.made import KINDS, instances, mixed, random_network

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def walked(network: Accord, kind: str, some: list) -> tuple[dict, Trail]:
    """A batch, and one sampled rollout of each of its instances as a trail."""
    batch, rules = pack(some), automaton(kind)
    found = decode(network, rules, batch, greedy=False, seeds_B=torch.arange(len(some)))
    return batch, trail(rules, batch, found.actions_BST[:, 0])


def taught(network: Accord, kind: str, batch: dict, seen: Trail, route_B=None):
    return network(kind, batch, seen.current_BT, seen.features_BTP, seen.options_BTAQ, seen.entity_BTA, route_B)


def stepped(network: Accord, kind: str, batch: dict, seen: Trail, route_B=None):
    prefix = network.encode(kind, batch, route_B)
    cache = network.begin(prefix, 1, seen.current_BT.shape[1])
    logits, predicted = [], []
    for t in range(seen.current_BT.shape[1]):
        one = slice(t, t + 1)
        told = (seen.current_BT[:, one], seen.features_BTP[:, one], seen.options_BTAQ[:, one], seen.entity_BTA[:, one])
        row, expected, cache = network.step(kind, prefix, cache, *told, route_B)
        logits.append(row)
        predicted.append(expected)
    return torch.cat(logits, 1), torch.cat(predicted, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [{}, {"history": True}, {"history": True, "state": "predicted"}, {"norm": "rms", "state": "none"}])
def test_steps_from_the_cache_are_those_of_teacher_forcing(kind, config):
    network = random_network(**config)
    with torch.no_grad():
        batch, seen = walked(network, kind, mixed(kind))
        logits, predicted = taught(network, kind, batch, seen)
        cached, expected = stepped(network, kind, batch, seen)
    torch.testing.assert_close(cached, logits, **CLOSE)
    torch.testing.assert_close(expected, predicted, **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_network_decides_by_psi_alone(kind):
    network = build({})
    batch, seen = walked(network, kind, instances(kind))
    logits = taught(network, kind, batch, seen).logits_BTA
    torch.testing.assert_close(logits, seen.options_BTAQ @ network.parts[kind].weight)


@pytest.mark.parametrize(("history", "state"), [(False, "fed"), (True, "fed"), (False, "none"), (False, "predicted"), (True, "predicted")])
def test_a_step_sees_what_its_options_say(history, state):
    network = random_network(history=history, state=state)
    with torch.no_grad():
        batch, seen = walked(network, "knapsack", instances("knapsack"))
        before = taught(network, "knapsack", batch, seen).logits_BTA[:, -1]
        features = seen.features_BTP.clone()
        features[:, -1] += 1.0
        sees_its_state = not torch.equal(taught(network, "knapsack", batch, seen._replace(features_BTP=features)).logits_BTA[:, -1], before)
        features = seen.features_BTP.clone()
        features[:, 0] += 1.0
        sees_the_first = not torch.equal(taught(network, "knapsack", batch, seen._replace(features_BTP=features)).logits_BTA[:, -1], before)
    assert sees_its_state == (state == "fed")
    assert sees_the_first == ((history and state == "fed") or state == "predicted")
    assert network.markov == (not sees_the_first)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_a_kind_learns(kind):
    network = random_network(history=True)
    batch, seen = walked(network, kind, instances(kind))
    answer = taught(network, kind, batch, seen, network.routes(kind, 4))
    (answer.logits_BTA.square().mean() + answer.predicted_BTP.square().mean()).backward()
    others = tuple(f"parts.{name}." for name in KINDS if name != kind)
    silent = [name for name, weight in network.named_parameters() if not name.startswith(others) and not (weight.grad != 0).any()]
    special = kind in ("tsp", "pfsp", "jssp")
    # keys have no bias that matters: it adds the same to all logits of a query; a kind without special actions has no use for its key
    assert [name for name in silent if not name.endswith("k.linear.bias")] == ([f"parts.{kind}.special"] if special else [])


def test_a_network_without_adapters_and_one_with_fresh_ones_are_the_same_bit_for_bit():
    network = build({})
    batch, seen = walked(network, "pfsp", instances("pfsp"))
    plain = taught(network, "pfsp", batch, seen).logits_BTA
    assert torch.equal(taught(network, "pfsp", batch, seen, network.routes("pfsp", 4)).logits_BTA, plain)
    assert torch.equal(taught(network, "pfsp", batch, seen, torch.full((4,), -1)).logits_BTA, plain)


@pytest.mark.parametrize("copies", [1, 20])
def test_each_sample_takes_its_own_route(copies):
    network = random_network()
    route_B = torch.tensor([5, -1, 0, 5]).repeat(copies)
    with torch.no_grad():
        batch, seen = walked(network, "tsp", instances("tsp") * copies)
        together = taught(network, "tsp", batch, seen, route_B).logits_BTA
        for expert in (5, -1, 0):
            with merged(network, expert):
                alone = taught(network, "tsp", batch, seen).logits_BTA
            rows = route_B == expert
            torch.testing.assert_close(together[rows], alone[rows], **CLOSE)
            assert not torch.allclose(together[~rows], alone[~rows], **CLOSE)
        mixture = torch.nn.functional.one_hot(route_B.clamp(min=0), 6).float()
        torch.testing.assert_close(
            taught(network, "tsp", batch, seen, mixture).logits_BTA,
            taught(network, "tsp", batch, seen, route_B.clamp(min=0)).logits_BTA,
            **CLOSE,
        )


def test_shared_kinds_have_one_adapter():
    network = random_network(share=("cvrp", "tsp"))
    assert network.adapter("tsp") == network.adapter("cvrp") == 1
    assert [network.adapter(kind) for kind in KINDS[2:]] == [2, 3, 4, 5]
    with torch.no_grad():
        batch, seen = walked(network, "tsp", instances("tsp"))
        own = taught(network, "tsp", batch, seen, network.routes("tsp", 4)).logits_BTA
        assert torch.equal(taught(network, "tsp", batch, seen, network.routes("cvrp", 4)).logits_BTA, own)


def test_a_seventh_adapter_leaves_the_others_bit_identical():
    network = random_network()
    with torch.no_grad():
        batch, seen = walked(network, "jssp", instances("jssp"))
        before = taught(network, "jssp", batch, seen, network.routes("jssp", 4)).logits_BTA
        for stack in [module for module in network.modules() if isinstance(module, LoRAStack)]:
            stack.add_expert()
        assert torch.equal(taught(network, "jssp", batch, seen, network.routes("jssp", 4)).logits_BTA, before)


def test_targets_have_adapters_and_the_others_none():
    network = random_network(targets=("q", "fc2"))
    assert {name.split(".")[2] for name, _ in network.named_parameters() if name.endswith(".A")} == {"q", "fc2"}
    assert not any(name.endswith(".A") for name, _ in random_network(rank=0).named_parameters())


def scaled(one, factor: int):
    if isinstance(one, TSP):
        return TSP(one.distances * factor, None if one.xy is None else one.xy * factor + 64)
    if isinstance(one, CVRP):
        return CVRP(one.distances * factor, one.demands * factor, one.capacity * factor, xy=one.xy * factor + 64)
    if isinstance(one, Knapsack):
        return Knapsack(one.values, one.weights * factor, one.capacity * factor)
    if isinstance(one, BinPacking):
        return BinPacking(one.weights * factor, one.capacity * factor)
    if isinstance(one, FlowShop):
        return FlowShop(one.times * factor)
    return JobShop(tuple(tuple((machine, time * factor) for machine, time in job) for job in one.jobs), one.machines)


@pytest.mark.parametrize("kind", KINDS)
def test_moving_and_scaling_by_a_power_of_two_changes_no_bit(kind):
    network = random_network()
    some = instances(kind)
    if kind in ("tsp", "cvrp"):  # whole coordinates
        some = [type(one)(**{**vars(one), "xy": np.rint(one.xy * 1000)}) for one in some]
    with torch.no_grad():
        batch, seen = walked(network, kind, some)
        moved, seen_moved = walked(network, kind, [scaled(one, 4) for one in some])
        assert torch.equal(taught(network, kind, moved, seen_moved).logits_BTA, taught(network, kind, batch, seen).logits_BTA)


def reordered(one, order: list[int]):
    if isinstance(one, TSP):
        return TSP(one.distances[np.ix_(order, order)], one.xy[order])
    if isinstance(one, CVRP):
        return CVRP(one.distances[np.ix_(order, order)], one.demands[order], one.capacity, xy=one.xy[order])
    if isinstance(one, Knapsack):
        return Knapsack(one.values[order], one.weights[order], one.capacity)
    if isinstance(one, BinPacking):
        return BinPacking(one.weights[order], one.capacity)
    if isinstance(one, FlowShop):
        return FlowShop(one.times[order])
    return JobShop(tuple(one.jobs[j] for j in order), one.machines)


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "knapsack", "pfsp", "jssp"])
def test_permuted_entities_permute_the_decisions(kind):
    network, rules = random_network(), automaton(kind)
    fixed = kind in ("tsp", "cvrp")  # node 0: the round trip begins there, or it is the depot
    for one in instances(kind, 6, seed=3):
        order = np.random.default_rng(0).permutation(range(int(fixed), one.size + (kind == "cvrp"))).tolist()
        order = [0, *order] if fixed else order
        shift = int(kind == "knapsack")
        first, second = (decode(network, rules, pack([each])) for each in (one, reordered(one, order)))
        permuted = second.actions_BST[0, 0].tolist()
        assert [order[a - shift] + shift if a >= shift else a for a in permuted] == first.actions_BST[0, 0].tolist()
        torch.testing.assert_close(first.logp_BS, second.logp_BS, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_permuted_items_are_packed_alike(seed):
    """Bins of sizes: of equal items none is better than another, and which of them lies where is told by no network."""
    network, rules = random_network(seed), automaton("binpack")
    for one in instances("binpack", 6, seed=3):
        order = np.random.default_rng(seed).permutation(one.size).tolist()
        packed = []
        for each in (one, reordered(one, order)):
            found = decode(network, rules, pack([each]))
            plan = rules.plan(each, found.actions_BST[0, 0].tolist())
            packed.append([sorted(each.weights[list(items)].tolist()) for items in plan])
        assert packed[0] == packed[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_names_of_machines_do_not_matter(seed):
    """Whatever the new names are; of five machines a shop may leave some idle."""
    network, rules = random_network(seed), automaton("jssp")
    some = [*instances("jssp", 4, seed=seed), JobShop(instances("jssp", 1, seed=seed)[0].jobs, 5), *generate("jssp", 2, (4, 5), seed)]
    for one in some:
        for names in (np.random.default_rng(turn).permutation(one.machines).tolist() for turn in range(4)):
            renamed = JobShop(tuple(tuple((names[machine], time) for machine, time in job) for job in one.jobs), one.machines)
            here, there = (decode(network, rules, pack([each])) for each in (one, renamed))
            assert torch.equal(here.actions_BST, there.actions_BST)


@pytest.mark.parametrize("distances", [[[0]], [[0, 3], [5, 0]], np.zeros((4, 4)), [[0, 9, 2], [1, 0, 4], [7, 3, 0]]])
def test_distances_without_coordinates_are_read(distances):
    network = random_network()
    batch = pack([TSP(np.array(distances)), *instances("tsp", 1)])
    assert torch.isfinite(network.encode("tsp", batch).z_BND).all()
    other = TSP(np.array(distances) * 7)
    torch.testing.assert_close(network.encode("tsp", pack([other])).z_BND, network.encode("tsp", pack([TSP(np.array(distances))])).z_BND)


@pytest.mark.parametrize(("size", "least", "most"), [("tiny", 0.08e6, 0.15e6), ("small", 0.7e6, 1.1e6), ("base", 5e6, 7.5e6)])
def test_the_sizes_are_those_of_the_table(size, least, most):
    network = build({"size": size})
    assert least < sum(weight.numel() for name, weight in network.named_parameters() if name[-2:] not in (".A", ".B")) < most
    assert network.blocks[0].fc1.linear.weight.shape == (SIZES[size]["ffn"], SIZES[size]["dim"])
    assert len(network.blocks) == SIZES[size]["layers"]


def test_the_same_config_and_seed_give_the_same_network():
    one, other = random_network(), random_network()
    assert all(torch.equal(one.state_dict()[name], weight) for name, weight in other.state_dict().items())
    assert build({"share": ["tsp", "cvrp"]}).adapter("cvrp") == 0  # lists, as YAML gives them


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"dim": 30, "heads": 4}, "does not divide"),
        ({"layers": 0}, "at least 1"),
        ({"targets": ("qkv",)}, "qkv; there are"),
        ({"targets": ()}, "rank=0 says so"),
        ({"share": ("tsp",)}, "two kinds"),
        ({"share": ("tsp", "vrp")}, "vrp; the kinds"),
        ({"rank": 0, "alpha": 2.0}, "leave it out"),
        ({"rank": -1}, "no adapters"),
        ({"alpha": 0.0}, "above 0"),
    ],
)
def test_options_that_cannot_be_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        Net(**config)


def test_a_kind_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no kind"):
        random_network().encode("assignment", pack(instances("tsp")))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("config", "most"), [({}, 1e-5), ({"history": True}, 1e-5), ({"history": True, "state": "predicted"}, 1e-3)])
def test_scripted_it_answers_the_same(config, most):  # what is fed back adds up
    network = random_network(**config)
    scripted = torch.jit.script(copy.deepcopy(network))
    for kind in KINDS:
        batch, seen = walked(network, kind, mixed(kind))
        routes = network.routes(kind, 4)
        with torch.no_grad(), torch.jit.optimized_execution(False):
            found, expected = (taught(one, kind, batch, seen, routes) for one in (scripted, network))
        torch.testing.assert_close(found, expected, rtol=most, atol=most)


def test_weights_from_before_an_option_said_more_answer_as_they_did() -> None:
    network = random_network()
    with torch.no_grad():
        network.parts["binpack"].weight[2:] = 0
    batch, seen = walked(network, "binpack", instances("binpack", 3))
    before = network.state_dict()
    before["parts.binpack.weight"] = before["parts.binpack.weight"][:2]
    later = random_network(seed=1)
    later.load_state_dict(before)
    assert torch.equal(taught(network, "binpack", batch, seen).logits_BTA, taught(later, "binpack", batch, seen).logits_BTA)
