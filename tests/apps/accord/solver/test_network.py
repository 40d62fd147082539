"""The network's part, with random weights: what it decodes is feasible too, and more decoding is never worse."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from apps.accord.eager import EagerNetwork
from apps.accord.errors import InternalInfeasibleError
from apps.accord.model import Accord, build
from apps.accord.solver import Solver, portfolio
from apps.accord.solver.recipe import MODEL, RECIPES, Stage
from apps.accord.source import Decoded, open_network
from apps.base.errors import UserError
from apps.base.export.bare import META
from datamodules.accord.checker import check
from datamodules.accord.instances import KINDS
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import ALL, routes

SIZES = {"tsp": 7, "cvrp": 7, "knapsack": 8, "binpack": 7, "pfsp": (5, 3), "jssp": (3, 3)}


@pytest.fixture(scope="module")
def network() -> Accord:
    torch.manual_seed(0)
    return build({"dim": 16, "layers": 1, "heads": 2, "ffn": 16, "rank": 2})


@pytest.fixture(scope="module")
def solver(network: Accord) -> Solver:
    return Solver(network)


def instances(kind: str, count: int = 3):
    more = {"capacity": 20} if kind == "cvrp" else {}
    return generate(kind, count, SIZES[kind], seed=2, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_answers_are_feasible(solver: Solver, kind: str) -> None:
    for words in ({}, {"samples": 3}, {"beam": 2}):
        for instance, answer in zip(instances(kind), solver.solve(instances(kind), "model", **words), strict=True):
            assert check(instance, answer.plan, answer.objective).feasible


@pytest.mark.parametrize("kind", KINDS)
def test_more_samples_are_never_worse(solver: Solver, kind: str) -> None:
    sign = -1 if kind == "knapsack" else 1
    values = [[sign * a.objective for a in solver.solve(instances(kind), "model", samples=count, seed=4)] for count in (1, 2, 5, 9)]  # type: ignore[operator]
    for fewer, more in itertools.pairwise(values):
        assert all(b <= a for a, b in zip(fewer, more, strict=True))


def test_the_best_of_the_samples_is_the_answer(solver: Solver) -> None:
    objectives = solver.sampled(instances("tsp"), 6, seed=1)
    assert objectives.shape == (3, 7)
    answers = solver.solve(instances("tsp"), "model", samples=6, seed=1)
    assert [answer.objective for answer in answers] == objectives.min(1).tolist()


def test_many_together_are_as_one_by_one(solver: Solver) -> None:
    mixed = [one for kind in KINDS for one in instances(kind, 2)]
    together = solver.solve(mixed, "model", samples=2)
    assert [answer.plan for answer in together] == [solver.solve([one], "model", samples=2)[0].plan for one in mixed]


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "pfsp"])
def test_every_start_is_as_good_as_the_first(solver: Solver, kind: str) -> None:
    one, every = (solver.solve(instances(kind), "model", starts=starts) for starts in (1, 7))
    assert all(b.objective <= a.objective for a, b in zip(one, every, strict=True))  # type: ignore[operator]


def test_starts_and_symmetries_that_a_kind_does_not_have_are_refused(solver: Solver) -> None:
    with pytest.raises(UserError, match="no first decision"):
        solver.solve(instances("knapsack"), "model", starts=3)
    with pytest.raises(UserError, match="no plane"):
        solver.solve(instances("pfsp"), "model", augment=8)


def test_unmasked_a_broken_rule_is_never_called_feasible(solver: Solver) -> None:
    for kind in KINDS:
        for instance, answer in zip(instances(kind), solver.solve(instances(kind), "model", masked=False), strict=True):
            if answer.plan is None:
                assert (answer.status, bool(answer.reason)) == ("unknown", True)
            else:
                assert check(instance, answer.plan, answer.objective).feasible


def test_the_portfolio_asks_the_network(network: Accord, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Counting(EagerNetwork):
        def decode(self, some, **words):
            asked.append(words["samples"])
            return super().decode(some, **words)

    monkeypatch.setitem(RECIPES, "jssp", (Stage(MODEL, freely=None),))
    monkeypatch.setattr(portfolio, "bound", lambda instance: None)
    solver = Solver(Counting(network))
    solver.solve(instances("jssp", 1))
    assert asked == [1]
    solver.solve(instances("jssp", 1), samples=5)
    assert asked == [1, 1, 5]
    solver.solve(instances("jssp", 1), time_limit=1.5)
    assert len(asked) > 4  # growing batches until the time is over


def test_under_a_clock_it_goes_on_and_ends(solver: Solver) -> None:
    (answer,) = solver.solve(instances("tsp", 1), "model", time_limit=0.3)
    assert answer.plan is not None


def test_a_fleet_without_a_way_is_unknown(solver: Solver) -> None:
    (answer,) = solver.solve([routes(fleet=2)], "model")
    assert (answer.status, answer.plan) == ("unknown", None)


def test_a_decoder_that_breaks_a_rule_is_a_bug_and_no_answer() -> None:
    class Broken:
        starts = False

        def decode(self, some, **_) -> Decoded:
            class Automaton:
                def plan(self, instance, actions):
                    return (0, 0, 0)

            return Decoded(np.zeros((1, 1, 3), int), np.ones((1, 1), int), np.zeros((1, 1), bool), np.ones((1, 1), bool), Automaton())

        def beam(self, some, width) -> Decoded:
            raise NotImplementedError

    with pytest.raises(InternalInfeasibleError):
        Solver(Broken()).solve([ALL["tsp"]], "model")


def test_weights_say_what_network_they_are_of(network: Accord, tmp_path: Path) -> None:
    import json

    path = tmp_path / "net.safetensors"
    model = {"dim": 16, "layers": 1, "heads": 2, "ffn": 16, "rank": 2}
    save_file(network.state_dict(), path, metadata={META: json.dumps({"app": "accord", "model": model})})
    read = Solver(open_network(path)).solve(instances("jssp"), "model")
    assert [answer.plan for answer in read] == [answer.plan for answer in Solver(network).solve(instances("jssp"), "model")]
    save_file(network.state_dict(), path, metadata={META: json.dumps({"app": "accord", "model": model | {"dim": 32}})})
    with pytest.raises(UserError, match="do not go together"):
        open_network(path)
    save_file(network.state_dict(), path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="does not say what network"):
        open_network(path)
