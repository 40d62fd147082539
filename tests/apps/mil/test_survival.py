"""Times instead of classes: likelihoods, the C-index, the task around them and its exported program."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.base.export import export_program
from apps.base.shell import Shell
from apps.mil.options import Host, Mask, Teacher
from apps.mil.risk_program import hazards_of
from apps.mil.scores import c_index
from apps.mil.stats import martingale
from apps.mil.survival import bin_edges, bin_of, cox_loss, hazard_loss, survival_of
from apps.mil.survival_task import Survival
from apps.mil.task import Classification
from datamodules.mil.datamodule import HardBags
from datamodules.mil.survival import SurvivalBags
from tests.apps.mil.bags import HOSTS
from tests.system.command import Here


def made(n: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(risk, time, event) with ties in risks and in times."""
    generator = torch.Generator().manual_seed(seed)
    risk = torch.randn(n, generator=generator).mul(2).round()
    time = torch.randint(1, 12, (n,), generator=generator).double()
    return risk, time, torch.rand(n, generator=generator) < 0.6


# --- the C-index -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_c_index_is_that_of_a_naive_loop_over_pairs(seed: int) -> None:
    risk, time, event = made(seed=seed)
    right = pairs = 0.0
    for i, j in itertools.permutations(range(len(risk)), 2):
        if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
            pairs += 1
            right += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    assert c_index(risk, time, event).item() == pytest.approx(right / pairs)


def test_two_events_at_one_time_are_no_pair_but_an_event_comes_before_who_was_lost_then() -> None:
    time = torch.tensor([3.0, 3.0])
    assert c_index(torch.tensor([1.0, 0.0]), time, torch.tensor([1, 1])).isnan()
    assert c_index(torch.tensor([1.0, 0.0]), time, torch.tensor([1, 0])) == 1


# --- likelihoods -----------------------------------------------------------------------------------------------------


def test_the_hazard_loss_is_the_likelihood_of_its_distribution() -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    hazards = logits.sigmoid()
    lived = survival_of(hazards)
    before = torch.cat([torch.ones(6, 1, dtype=torch.float64), lived[:, :-1]], 1)
    bins, event = torch.tensor([0, 1, 2, 3, 0, 3]), torch.tensor([1, 1, 1, 1, 0, 0])
    likelihood = torch.where(event.bool(), (before * hazards)[range(6), bins], lived[range(6), bins])
    assert hazard_loss(logits, bins, event).item() == pytest.approx(-likelihood.log().mean().item())
    died = (before * hazards).sum(1)
    torch.testing.assert_close(died + lived[:, -1], torch.ones_like(died))  # somewhere it ends


def test_hazards_that_are_sure_cost_no_infinity() -> None:
    logits = torch.full((2, 4), 1e4).requires_grad_()
    loss = hazard_loss(logits, torch.tensor([0, 3]), torch.tensor([1, 0]))
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_cox_loss_is_the_sum_over_events_of_a_naive_loop() -> None:
    risk, time, event = made()
    each = [math.log(sum(math.exp(risk[j]) for j in range(40) if time[j] >= time[i])) - float(risk[i]) for i in range(40) if event[i]]
    assert cox_loss(risk.double(), time, event).item() == pytest.approx(sum(each) / len(each))


def test_the_cox_loss_knows_differences_of_risks_alone_and_a_batch_without_events_says_nothing() -> None:
    risk, time, event = made()
    assert cox_loss(risk + 7, time, event).item() == pytest.approx(cox_loss(risk, time, event).item(), rel=1e-5)
    risk.requires_grad_()
    loss = cox_loss(risk, time, torch.zeros(40))
    loss.backward()
    assert loss == 0
    assert risk.grad is not None
    assert not risk.grad.any()


def test_bins_hold_as_many_events_each_and_an_edge_begins_one() -> None:
    time = torch.arange(1.0, 41.0)
    event = torch.ones(40)
    event[1::2] = 0
    edges = bin_edges(time, event, 4)
    assert bin_of(time, edges)[event.bool()].bincount().tolist() == [5, 5, 5, 5]
    assert bin_of(torch.tensor(edges), edges).tolist() == [1, 2, 3]
    assert bin_of(torch.tensor([0.1, 1e9]), edges).tolist() == [0, 3]
    with pytest.raises(ValueError, match="3 events"):
        bin_edges(torch.arange(5.0), torch.tensor([1, 1, 1, 0, 0]), 4)
    with pytest.raises(ValueError, match="one time"):
        bin_edges(torch.ones(9), torch.ones(9), 4)


def test_martingale_residuals_add_up_to_nothing() -> None:
    _, time, event = made()
    assert martingale(time.numpy(), event.numpy().astype(float)).sum() == pytest.approx(0, abs=1e-9)


# --- the task --------------------------------------------------------------------------------------------------------


def task_of(data: SurvivalBags, **options: Any) -> Survival:
    task = Survival(**{"host": Host("ab_mil", dim=16), **options})
    task.build(task.gather(data))
    return task


@pytest.fixture(scope="module")
def data() -> SurvivalBags:
    found = SurvivalBags(4, train=24, val=8, test=8)
    found.setup()
    return found


@pytest.mark.parametrize("loss", ["hazards", "cox"])
@pytest.mark.parametrize("name", list(HOSTS))
def test_every_host_learns_times_and_is_mined(data: SurvivalBags, name: str, loss: Any) -> None:
    task = task_of(data, host=HOSTS[name], loss=loss, mask=Mask(high=0.1, whole_bag_weight=0.5), teacher=Teacher(epochs=1))
    task.model.mining.fill_(True)
    task.progress = lambda: 0.0  # type: ignore[method-assign]
    batch = next(iter(data.train_dataloader()))
    losses = task.losses(batch, task.model(*task.inputs(batch)))
    assert losses.keys() == {"bag", "whole"}
    task.total(losses).backward()
    gradients = [p.grad for p in task.model.student.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_training_bags_alone_cut_time_into_bins(data: SurvivalBags) -> None:
    edges = task_of(data).facts["edges"]
    known = {**data.known, "time": data.known["time"].copy()}
    known["time"][data.parts.test] *= 100
    other = SurvivalBags(4, train=24, val=8, test=8)
    other.known = known
    assert task_of(other).facts["edges"] == edges


def test_what_does_not_go_with_times_is_refused(data: SurvivalBags) -> None:
    with pytest.raises(UserError, match="HardBags has classes, not times"):
        Survival().gather(HardBags(4, train=8, val=4, test=4))
    with pytest.raises(UserError, match="bins=40: the training bags have"):
        task_of(data, bins=40)
    for options in (
        {"mask": Mask(high=0.1, negatives=False)},
        {"mask": Mask(high=0.1, floor=0.2)},
        {"mask": Mask(high=0.1, score="class_prob")},
        {"host": Host("ab_mil", clusters=4)},
        {"loss": "cox", "bins": 5},
    ):
        with pytest.raises(ValueError, match=r"class|bins"):
            Survival(**({"teacher": Teacher(epochs=1)} if "mask" in options else {}), **options)


@pytest.mark.parametrize("name", list(HOSTS))
def test_three_classes_are_learned_by_every_host_and_mined(name: str) -> None:
    task = Classification(host=HOSTS[name], mask=Mask(high=0.1), teacher=Teacher(epochs=1), class_weights="balanced")
    found = HardBags(6, train=12, val=4, test=4)
    found.classes = ["a", "b", "c"]
    found.known["label"] = np.arange(len(found.known["label"])) % 3
    found.setup()
    task.build(task.gather(found))
    task.model.mining.fill_(True)
    task.progress = lambda: 0.0  # type: ignore[method-assign]
    batch = next(iter(found.train_dataloader()))
    outputs = task.model(*task.inputs(batch))
    assert outputs.student.probs().shape == (6, 3)
    torch.testing.assert_close(outputs.student.probs().sum(1), torch.ones(6))
    assert outputs.drops is not None
    assert outputs.drops.high.any()
    task.total(task.losses(batch, outputs)).backward()


# --- the program -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "loss"), [("ab_mil", "hazards"), ("ds_mil", "hazards"), ("ds_mil", "cox")])
def test_the_file_gives_the_risk_that_is_measured(tmp_path: Path, data: SurvivalBags, name: str, loss: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    task = task_of(data, host=HOSTS[name], loss=loss).eval()
    program = task.program("risks", data.examples(2))
    bags = [program.prepare(x) for x in data.examples(2)]
    batch = (torch.cat(bags), torch.tensor([0, len(bags[0]), len(bags[0]) + len(bags[1])]))
    answer = program(*batch)
    output = task.model(*task.inputs(next(iter(data.test_dataloader())))).student
    torch.testing.assert_close(answer["risk"], task.risk(output)[:2], rtol=1e-4, atol=1e-5)
    if loss == "hazards":
        torch.testing.assert_close(answer["survival"], survival_of(hazards_of(output))[:2], rtol=1e-4, atol=1e-5)
        assert (answer["survival"].diff(dim=1) <= 0).all()
    else:
        assert "survival" not in answer
    if name == "ab_mil":  # written, and checked in a fresh interpreter
        assert export_program(program, tmp_path / "risks.ts", None, Shell(quiet=True))["passed"]


def test_times_are_learned_measured_exported_and_predicted_by_the_command(here: Here, tmp_path: Path) -> None:
    small = ("--data.train=32", "--data.val=8", "--data.test=8", "--trainer.max_epochs=2")
    assert here("--quiet", "mil", "fit", "--config", "survival", *small).returncode == 0
    tested = here("--quiet", "mil", "test")
    assert tested.returncode == 0, tested.stderr
    assert {"test/c_index", "test/stats_c_index", "test/hard_recall"} <= json.loads(tested.stdout.splitlines()[-1]).keys()
    assert here("--quiet", "mil", "export", "-o", "risks.ts").returncode == 0
    np.save(tmp_path / "bag.npy", np.random.default_rng(0).standard_normal((30, 16)).astype(np.float32))
    said = here("--quiet", "predict", "risks.ts", "bag.npy")
    assert said.returncode == 0, said.stderr
    assert math.isfinite(json.loads(said.stdout.splitlines()[-1])["risk"])
