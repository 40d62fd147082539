"""Shapes: B instances, S rollouts, T steps, L numbers of a row."""

import copy

import pytest
import torch

from apps.accord.automata import automaton
from apps.accord.decoding import decode
from apps.accord.integers import row_of, unpacked
from apps.accord.program import Decide, arguments
from apps.base.errors import FailureError
from apps.base.export import export_program
from apps.base.program import close, quiet_jit
from apps.base.shell import Shell
from core_attention.lora import merged
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, TSP
from datamodules.accord.packs import pack
from tests.apps.accord.made import KINDS, instances, mixed, random_network

FACTS = {"licence": "Apache-2.0", "net": {"size": "tiny"}, "sizes": {"tsp": 20}}


def program(**config) -> Decide:
    return Decide(random_network(**config), FACTS, [instances(kind, 1)[0] for kind in KINDS]).eval()


@pytest.fixture(scope="module")
def decide() -> Decide:
    return program()


@pytest.fixture(scope="module")
def scripted(decide):
    with quiet_jit():
        return torch.jit.script(copy.deepcopy(decide))


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_answers_as_decode_does_and_feasibly(decide, scripted, kind):
    some, rules = mixed(kind), automaton(kind)
    batch = pack(some)
    for samples in (0, 4):
        with torch.no_grad(), torch.jit.optimized_execution(False):
            answer = getattr(scripted, f"rollout_{kind}")(*arguments(kind, some, batch), samples, 7)
        seeds = torch.full((4,), 7)
        found = decode(decide.weights(), rules, batch, greedy=samples == 0, rollouts=max(samples, 1), seeds_B=seeds)
        best = found.objective_BS.amax(1) if kind == "knapsack" else found.objective_BS.amin(1)
        assert torch.equal(answer["value"], best)
        for b, one in enumerate(some):
            s = int((found.objective_BS[b] == best[b]).nonzero()[0])
            actions = answer["actions"][b].tolist()
            assert answer["length"][b] == sum(action >= 0 for action in actions)
            if kind == "binpack":
                place = {int(item): i for i, item in enumerate(batch["ids"][b].tolist()) if item >= 0}
                actions = [place[a - 1] + 1 if a > 0 else a for a in actions]
            said = rules.plan(one, actions)
            assert said == rules.plan(one, found.actions_BST[b, s].tolist())
            assert check(one, said).feasible
            assert check(one, said).objective == answer["value"][b]


def test_forward_reads_rows_of_every_kind_padded_to_one_length(decide, scripted):
    rows = [row_of(one) for kind in KINDS for one in mixed(kind)[1:3]]
    longest = max(len(row) for row in rows)
    x = torch.stack([torch.nn.functional.pad(row, (0, longest - len(row)), value=99) for row in rows])
    with torch.no_grad(), torch.jit.optimized_execution(False):
        together, eager = scripted(x), decide(x)
        assert all(close(together[name], eager[name])[0] for name in eager)
        for b, row in enumerate(rows):
            alone = scripted(row.unsqueeze(0))
            assert alone["value"][0] == together["value"][b]
            assert alone["actions"][0].tolist() == together["actions"][b, : alone["actions"].shape[1]].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_integers_is_the_instance(kind):
    for one in mixed(kind):
        number, batch = unpacked(row_of(one))
        expected = pack([one])
        assert KINDS[number] == kind
        assert batch.keys() == expected.keys()
        for name, tensor in expected.items():
            assert tensor.dtype == batch[name].dtype
            torch.testing.assert_close(batch[name], tensor, rtol=0, atol=1e-5 if name == "xy" else 0)


def test_rows_without_coordinates_and_with_a_fleet_are_read():
    for one in (TSP([[0, 2], [3, 0]]), CVRP([[0, 1, 2], [1, 0, 1], [2, 1, 0]], [0, 1, 1], 2, fleet=1)):
        _, batch = unpacked(row_of(one))
        for name, tensor in pack([one]).items():
            assert torch.equal(batch[name], tensor)
    with pytest.raises(ValueError, match="begins with a kind"):
        unpacked(torch.tensor([9, 1, 1]))
    with pytest.raises((RuntimeError, IndexError)):
        unpacked(torch.tensor([2, 5, 1, 1]))


def test_an_instance_without_a_way_is_said_to_have_none(decide):
    impossible = CVRP([[0] * 4] * 4, [0, 3, 3, 3], 5, fleet=2)
    assert decide(row_of(impossible).unsqueeze(0))["found"].tolist() == [0]


@pytest.mark.parametrize("config", [{}, {"history": True}, {"history": True, "state": "predicted"}, {"state": "predicted"}])
def test_steps_of_the_program_are_those_of_the_network(config):
    decide = program(**config)
    network, rules, batch = decide.weights(), automaton("jssp"), pack(mixed("jssp"))
    state, prefix, past = rules.reset(batch, 2), decide.encode("jssp", batch), {}
    with torch.no_grad(), merged(network, network.adapter("jssp")):
        own = network.encode("jssp", batch)
    cache = network.begin(own, 2, 3)
    for _ in range(3):
        told = (rules.current(batch, state), rules.features(batch, state), rules.options(batch, state), rules.entity(batch, state))
        with torch.no_grad():
            past = decide.step("jssp", prefix, past, *told)
            with merged(network, network.adapter("jssp")):
                logits, predicted, cache = network.step("jssp", own, cache, *told)
        torch.testing.assert_close(past["logits"], logits, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(past["predicted"], predicted, rtol=1e-3, atol=1e-4)
        state = rules.step(batch, state, rules.mask(batch, state).long().argmax(2))


@pytest.mark.full
@pytest.mark.parametrize("config", [{}, {"history": True, "norm": "rms"}])
def test_the_written_file_answers_alone(config, tmp_path):
    report = export_program(program(**config), tmp_path / "decide.ts", None, Shell())
    assert {"actions", "rollout_jssp.value", "encode.z", "step.logits"} <= {*report["worst"], *report["discrete"]}


@pytest.mark.full
@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_other_formats_have_no_loops_and_are_refused(suffix, tmp_path, decide):
    if suffix == ".onnx":
        pytest.importorskip("onnxscript")
    with pytest.raises(FailureError, match=r"write \.ts instead"):
        export_program(decide, tmp_path / f"decide{suffix}", None, Shell())
    assert not list(tmp_path.iterdir())
