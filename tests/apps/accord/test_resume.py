"""Promises 1 and 2: stopped anywhere, in any stage, and taken up again, the weights are the same bits as those of an undisturbed twin."""

from pathlib import Path
from typing import Any

import pytest
import torch

from apps.accord.task import Deciding
from apps.base.errors import FailureError
from tests.apps.accord.tiny import WORDS
from tests.system.command import Here, discern
from tests.system.test_resume import kill_after, start

KINDS = ("--data.kinds=[tsp,knapsack]", "--checkpoints.every_n_steps=2", "--ema.decay=0.9", "--trainer.accelerator=cpu")


def last(home: Path) -> dict[str, Any]:
    """The newest checkpoint of the only run there."""
    (path,) = home.glob("mlruns/runs/accord/*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    shadows = one["discern"]["shadow"], other["discern"]["shadow"]
    return all(
        first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
        for first, second in ((one["state_dict"], other["state_dict"]), shadows)
    )


@pytest.mark.parametrize("fresh", ["false", pytest.param("true", marks=pytest.mark.full)])
@pytest.mark.parametrize("broken_at", [3, pytest.param(5, marks=pytest.mark.full), pytest.param(7, marks=pytest.mark.full)])
def test_a_training_that_breaks_off_in_any_stage_goes_on_to_the_same_weights(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch, broken_at: int, fresh: str
) -> None:
    words = (*WORDS, *KINDS, "--trainer.max_epochs=2", f"--data.fresh={fresh}")  # 8 steps: 4 joint, 2 of adapters, 2 of its own answers
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert here("--home", "whole", "accord", "fit", *words).returncode == 0
    step = Deciding.training_step

    def broken(self: Deciding, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == broken_at:
            raise FailureError("the power went")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Deciding, "training_step", broken)
        assert here("--home", "cut", "accord", "fit", *words).returncode == 1
    assert last(tmp_path / "cut")["global_step"] == broken_at - 1
    assert here("--home", "cut", "accord", "fit", "--ckpt", "last").returncode == 0
    whole, cut = last(tmp_path / "whole"), last(tmp_path / "cut")
    assert whole["global_step"] == cut["global_step"] == 8
    assert same(whole, cut)


def test_a_training_from_before_an_option_had_another_number_goes_on(tmp_path: Path, here: Here) -> None:
    words = (*WORDS, "--data.kinds=[pfsp]", "--ema.decay=0.9", "--trainer.accelerator=cpu")
    assert here("accord", "fit", *words, "--trainer.max_epochs=1").returncode == 0
    (path,) = tmp_path.glob("mlruns/runs/accord/*/checkpoints/last.ckpt")
    old = torch.load(path, weights_only=True)
    (averages,) = [kept for kept in old["optimizer_states"][0]["state"].values() if kept["exp_avg"].shape == (3,)]
    for held, name in (
        (old["state_dict"], "model.parts.pfsp.weight"),
        (old["discern"]["shadow"], "parts.pfsp.weight"),
        (averages, "exp_avg"),
        (averages, "exp_avg_sq"),
    ):
        held[name] = held[name][:2].clone()
    torch.save(old, path)
    done = here("accord", "fit", "--ckpt", "last", "--trainer.max_epochs=2")
    assert done.returncode == 0, done.stderr
    (longer,) = (
        torch.load(other, weights_only=True) for other in tmp_path.glob("mlruns/runs/accord/*/checkpoints/last.ckpt") if other != path
    )
    assert longer["global_step"] > old["global_step"]
    assert longer["discern"]["shadow"]["parts.pfsp.weight"].shape == (3,)


@pytest.mark.full
def test_kill_9_at_any_moment_changes_no_weight(tmp_path: Path) -> None:
    words = (*WORDS, *KINDS, "--trainer.max_epochs=60")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    discern("accord", "fit", *words, home=tmp_path / "whole")
    resumed: tuple[str, ...] = words
    for seconds in (0.2, 0.7):
        assert kill_after(start("accord", "fit", *resumed, home=tmp_path / "killed"), seconds), "over before the kill; make it longer"
        resumed = ("--ckpt", "last")
    discern("accord", "fit", *resumed, home=tmp_path / "killed")
    assert same(last(tmp_path / "whole"), last(tmp_path / "killed"))
