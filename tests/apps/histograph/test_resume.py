"""Promises 1 and 2 for graphs: stopped anywhere and taken up again, the weights are the same bits as those of an undisturbed twin."""

from pathlib import Path
from typing import Any

import pytest
import torch

from apps.base.errors import FailureError
from apps.histograph.task import GraphTask
from tests.apps.histograph.tiny import TINY, last
from tests.system.command import Here, discern
from tests.system.test_resume import kill_after, start

LONG = (*TINY, "--trainer.max_epochs=3", "--checkpoints.every_n_steps=2", "--data.train=48", "--data.batch_size=8")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_training_that_breaks_off_within_an_epoch_goes_on_to_the_same_weights(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert here("--home", "whole", "histograph", "fit", *LONG).returncode == 0
    step = GraphTask.training_step

    def broken(self: GraphTask, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == 9:
            raise FailureError("the power went")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(GraphTask, "training_step", broken)
        assert here("--home", "cut", "histograph", "fit", *LONG).returncode == 1
    assert last(tmp_path / "cut")["global_step"] == 8  # within the second epoch
    assert here("--home", "cut", "histograph", "fit", "--ckpt", "last").returncode == 0
    whole, cut = last(tmp_path / "whole"), last(tmp_path / "cut")
    assert whole["global_step"] == cut["global_step"] == 18
    assert same(whole["state_dict"], cut["state_dict"])


@pytest.mark.full
def test_kill_9_at_any_moment_changes_no_weight_of_a_graph_network(tmp_path: Path) -> None:
    words = (*TINY, "--trainer.max_epochs=60", "--checkpoints.every_n_steps=3")
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    discern("histograph", "fit", *words, home=tmp_path / "whole")
    resumed: tuple[str, ...] = words
    for seconds in (0.2, 0.7):
        assert kill_after(start("histograph", "fit", *resumed, home=tmp_path / "killed"), seconds), "over before the kill; make it longer"
        resumed = ("--ckpt", "last")
    discern("histograph", "fit", *resumed, home=tmp_path / "killed")
    assert same(last(tmp_path / "whole")["state_dict"], last(tmp_path / "killed")["state_dict"])
