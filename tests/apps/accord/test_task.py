"""A training of all kinds: who learns when, what is learned, what a test tells."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from apps.accord.automata import automaton, trail
from apps.accord.greedy_rules import rule
from apps.accord.improving import improved
from apps.accord.lessons import lesson
from apps.accord.metrics import gaps_of, mean_of_kinds
from apps.accord.model import build
from apps.accord.options import Learn, Measure, Net, Stages
from apps.accord.stages import phase_of, set_learning
from apps.accord.task import Deciding
from apps.accord.testing import best_of, feasible, greedily
from apps.base.errors import UserError
from datamodules.accord.gaps import gap
from datamodules.accord.instances import KINDS, MAXIMISED
from tests.apps.accord.tiny import NET, made, ready, trainer

DATA = made()


def weights(task: Deciding) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in task.model.state_dict().items()}


def changed(before: dict[str, Tensor], task: Deciding) -> set[str]:
    return {name for name, value in task.model.state_dict().items() if not torch.equal(value, before[name])}


def part_of(name: str) -> str:
    return "parts" if name.startswith("parts.") else "adapters" if name.endswith((".A", ".B")) else "backbone"


def trained(**options: Any) -> tuple[set[str], set[str]]:
    """(the parts that a training of one epoch changed, all there are)"""
    task = ready(DATA, **options)
    before = weights(task)
    trainer().fit(task, datamodule=DATA)
    return {part_of(name) for name in changed(before, task)}, {part_of(name) for name in before}


# --- stages --------------------------------------------------------------------------------------------------------------


def test_a_stage_follows_from_the_share_of_the_training_that_is_done() -> None:
    staged = Stages(joint=0.6, improve=0.1, samples=4)
    assert [phase_of(staged, done).name for done in (0.0, 0.59, 0.6, 0.89, 0.9, 1.0)] == [
        "joint", "joint", "adapters", "adapters", "improve", "improve",
    ]  # fmt: skip
    shared = Stages(mode="shared", improve=0.5)
    assert [(phase_of(shared, done).backbone, phase_of(shared, done).improve) for done in (0.0, 0.5)] == [(True, False), (True, True)]
    assert not phase_of(Stages(mode="adapters-only"), 0.0).backbone


def test_first_the_network_learns_and_its_adapters_stay_as_they_are() -> None:
    learned, there = trained(stages=Stages(joint=1.0))
    assert there == {"backbone", "adapters", "parts"}
    assert learned == {"backbone", "parts"}


def test_then_the_adapters_learn_on_the_frozen_network() -> None:
    learned, _ = trained(stages=Stages(joint=0.0))
    assert learned == {"adapters", "parts"}


def test_one_shared_network_has_no_adapters() -> None:
    learned, there = trained(net={"rank": 0}, stages=Stages(mode="shared"))
    assert learned == there == {"backbone", "parts"}


def test_only_the_adapter_of_the_kind_that_is_trained_learns() -> None:
    data = made(kinds=("pfsp",))
    task = ready(data, stages=Stages(joint=0.0))
    before = weights(task)
    trainer().fit(task, datamodule=data)
    place = list(KINDS).index("pfsp")
    for name in (name for name in before if name.endswith(".B")):
        rows = (task.model.state_dict()[name] != before[name]).flatten(1).any(1)
        assert [i for i, moved in enumerate(rows.tolist()) if moved] == [place]


def test_what_was_frozen_learns_again_when_its_stage_comes() -> None:
    network = build(NET)
    for progress in (0.9, 0.1, 0.9):
        phase = phase_of(Stages(), progress)
        set_learning(network, phase)
        learning = {part_of(name) for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert learning == {"parts", "backbone" if phase.backbone else "adapters"}


def test_adapters_alone_need_a_network_to_begin_with() -> None:
    with pytest.raises(UserError, match="--init"):
        Deciding(stages=Stages(mode="adapters-only")).cold_started()
    Deciding(stages=Stages(mode="staged")).cold_started()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (lambda: Stages(mode="shared", joint=0.3), "cannot act"),
        (lambda: Stages(samples=3), "improve is 0"),
        (lambda: Stages(joint=0.8, improve=0.3), "more than the whole"),
        (lambda: Stages(joint=1.2), "shares"),
        (lambda: Deciding(net=Net(rank=0)), "mode=shared"),
        (lambda: Deciding(stages=Stages(mode="shared")), "net.rank=0"),
        (lambda: Learn(state=-1.0), "0 or more"),
        (lambda: Measure(samples=0), "at least 1"),
    ],
)
def test_an_option_that_could_not_act_is_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options()


# --- learning ------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_whatever_the_workers() -> None:
    ends = []
    for workers in (0, 1):
        data = made(kinds=("tsp", "jssp"), workers=workers)
        task = ready(data, stages=Stages(joint=0.5, improve=0.25, samples=3))
        trainer(2).fit(task, datamodule=data)
        ends.append(weights(task))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_stages_change_at_their_share_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share that is done is counted from the trainer's step, which a checkpoint brings back."""
    seen: list[tuple[int, str]] = []
    hook = Deciding.on_train_batch_start

    def watched(self: Deciding, batch: Any, batch_idx: int) -> None:
        hook(self, batch, batch_idx)
        seen.append((self.trainer.global_step, self.phase.name))

    monkeypatch.setattr(Deciding, "on_train_batch_start", watched)
    trainer().fit(ready(DATA, stages=Stages(joint=0.5, improve=0.25, samples=2)), datamodule=DATA)
    assert seen == [(step, "joint" if step < 6 else "adapters" if step < 9 else "improve") for step in range(12)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_learns_from_its_best_answer_where_that_is_no_worse_than_the_label(kind: str) -> None:
    data = made(kinds=(kind,), test=8)
    rules, network = automaton(kind), build(NET)
    for batch in data.test_dataloader():
        actions = lesson(rules, batch)
        reached = trail(rules, batch, actions).objective_B
        seeds = torch.arange(len(reached))
        better = trail(rules, batch, improved(network, rules, batch, actions, reached, 6, seeds, None)).objective_B
        assert ((better >= reached) if kind in MAXIMISED else (better <= reached)).all()
        worst = torch.zeros_like(reached) if kind in MAXIMISED else reached + 10**9
        own = trail(rules, batch, improved(network, rules, batch, actions, worst, 1, seeds, None)).objective_B
        assert not torch.equal(own, worst)  # any answer is better than that


def test_where_a_round_begins_is_not_learned() -> None:
    """A rollout is given its first node; every node would be as good."""
    task = ready(DATA)
    (batch,) = [batch for batch in DATA.test_dataloader() if task.kind_of(batch) == "tsp"]
    assert not task.lesson(batch)["free"][:, 0].any()
    assert task.lesson(batch)["free"][:, 1].all()


@pytest.mark.full
def test_a_short_training_beats_the_network_that_it_began_as() -> None:
    data = made(kinds=("tsp", "pfsp", "jssp"), batch_size=32, train=512, val=64, test=64)
    task = ready(data, net={"dim": 32, "layers": 2}, stages=Stages(joint=0.7))
    trainer(4).fit(task, datamodule=data)
    (found,) = trainer().test(task, datamodule=data, verbose=False)
    for kind in data.kinds:
        assert found[f"test/gap_{kind}"] < found[f"test/untrained_gap_{kind}"]


# --- measuring -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tested() -> tuple[Deciding, dict[str, float]]:
    task = ready(DATA, measure=Measure(samples=4))
    (found,) = trainer().test(task, datamodule=DATA, verbose=False)
    return task, dict(found)


def test_every_answer_is_feasible_by_the_independent_checker(tested: tuple[Deciding, dict[str, float]]) -> None:
    _, found = tested
    assert found["test/feasible"] == 1.0
    assert all(found[f"test/feasible_{kind}"] == 1.0 for kind in KINDS)


def test_a_gap_is_the_mean_over_kinds_of_the_mean_over_problems(tested: tuple[Deciding, dict[str, float]]) -> None:
    task, found = tested
    rows = DATA.rows("test")
    by_kind: dict[str, list[float]] = {}
    for number, objective in zip(task.table["number"], task.table["greedy"], strict=True):
        row = rows[number]
        by_kind.setdefault(row.instance.kind, []).append(gap(row.instance, int(objective), row.objective))
    means = {kind: float(np.mean(values)) for kind, values in by_kind.items()}
    assert math.isclose(found["test/gap"], float(np.mean(list(means.values()))), rel_tol=1e-5)
    assert all(math.isclose(found[f"test/gap_{kind}"], value, rel_tol=1e-5, abs_tol=1e-9) for kind, value in means.items())


def test_several_answers_are_never_worse_than_the_first_of_them(tested: tuple[Deciding, dict[str, float]]) -> None:
    task, _ = tested
    network = task.model.eval()
    for batch in DATA.test_dataloader():
        kind = task.kind_of(batch)
        one, more = (best_of(network, automaton(kind), batch, Measure(samples=samples)).objective_B for samples in (1, 8))
        assert ((more >= one) if kind in MAXIMISED else (more <= one)).all()


def test_the_rule_stands_beside_the_network(tested: tuple[Deciding, dict[str, float]]) -> None:
    task, _ = tested
    answers = task.answers(DATA)
    assert len(answers) == len(DATA.rows("test"))
    for row, answer in zip(DATA.rows("test"), answers, strict=True):
        assert answer["kind"] == row.instance.kind
        assert answer["best"] == row.objective
        assert answer["rule"] == rule(row.instance)
    values = task.baselines(DATA)
    assert values["rule_gap"] == pytest.approx(np.mean([values[f"rule_gap_{kind}"] for kind in KINDS]))


def test_a_test_draws_gaps_state_and_a_tour(tested: tuple[Deciding, dict[str, float]]) -> None:
    task, _ = tested
    figures = task.figures(DATA)
    assert set(figures) == {"gaps", "state", "tour"}
    assert all(picture.startswith(b"\x89PNG") for picture in figures.values())


def test_measuring_leaves_randomness_alone(tested: tuple[Deciding, dict[str, float]]) -> None:
    task, _ = tested
    state = torch.get_rng_state()
    task.on_test_epoch_start()
    assert torch.equal(torch.get_rng_state(), state)


def test_an_answer_that_breaks_a_rule_is_never_counted_as_feasible() -> None:
    task = ready(DATA, learn=Learn(masked=False))
    broken = 0
    for batch in DATA.test_dataloader():
        kind = task.kind_of(batch)
        rows = [DATA.rows("test")[number] for number in batch["number"].tolist()]
        rules = automaton(kind, masked=False)
        answer = greedily(task.model.eval(), rules, batch)
        verdict = feasible(rules, rows, answer)
        for actions, right in zip(answer.actions_BT, verdict.tolist(), strict=True):
            said = [action for action in actions.tolist() if action >= 0]
            broken += not right
            if kind == "tsp":
                assert right == (sorted(said[:-1]) == list(range(6)) and said[-1] == 6)
    assert broken


def test_without_masks_a_test_tells_how_often_the_network_keeps_the_rules() -> None:
    data = made(kinds=("knapsack", "cvrp"))
    task = ready(data, net={"rank": 0}, stages=Stages(mode="shared"), learn=Learn(masked=False))
    trainer().fit(task, datamodule=data)
    (found,) = trainer().test(task, datamodule=data, verbose=False)
    assert found["test/feasible"] == 1.0  # with masks
    assert 0.0 <= found["test/open_feasible_cvrp"] <= 1.0
    table = task.table
    assert found["test/open_feasible"] == pytest.approx(
        np.mean([table["open_feasible"][table["kind"] == kind].mean() for kind in np.unique(table["kind"])])
    )
    assert task.baselines(data)["open_gap_with_rule"] < math.inf


def test_gaps_are_signed_and_a_best_of_nothing_has_its_rule() -> None:
    assert gaps_of("tsp", np.array([110, 90]), np.array([100, 100])).tolist() == [10.0, -10.0]
    assert gaps_of("knapsack", np.array([90]), np.array([100])).tolist() == [10.0]
    assert gaps_of("jssp", np.array([0, 3]), np.array([0, 0])).tolist() == [0.0, math.inf]
    assert mean_of_kinds("gap", {"tsp": 2.0, "jssp": 4.0}) == {"gap": 3.0, "gap_tsp": 2.0, "gap_jssp": 4.0}


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("net", [{"state": "none"}, {"state": "predicted", "history": True, "share": ("tsp", "cvrp")}, {"history": True}])
def test_every_network_can_be_taught_every_kind(net: dict[str, Any], masked: bool) -> None:
    task = ready(DATA, net=net, learn=Learn(masked=masked), stages=Stages(joint=0.0)).train()
    task.phase = phase_of(Stages(joint=0.0), 0.0)
    for batch in DATA.test_dataloader():
        lesson = task.lesson(batch)
        total = task.total(task.losses(lesson, task.model(*task.inputs(lesson))))
        total.backward()
        assert total.isfinite()
    gradients = [parameter.grad for parameter in task.model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
