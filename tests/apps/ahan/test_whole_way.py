"""Verification from training to an answer: fit, resume, test, export, predict, in one folder."""

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.ahan.task import Verification
from apps.base.checkpoint import read_checkpoint
from datamodules.ahan.synth import write_examples
from tests.apps.ahan.tiny import SMALL
from tests.system.command import Here


def test_from_training_to_an_answer(here: Here, tmp_path: Path) -> None:
    assert here("ahan", "fit", *SMALL, "--name", "first", "--quiet").returncode == 0
    (run,) = tmp_path.glob("mlruns/runs/ahan/*")
    logged = {key for line in (run / "log.jsonl").read_text().splitlines() for key in json.loads(line).get("values", {})}
    assert {"train/arc", "train/contrastive", "train/triplet", "train/cosine_genuine", "train/cosine_twin", "train/cosine_general",
            "train/alpha_eyes_1", "train/alpha_jaw_4", "train/partner_seen", "val/twin_auc", "val/select"} <= logged  # fmt: skip
    facts = read_checkpoint(run / "checkpoints" / "last.ckpt")["discern"]["facts"]
    assert set(facts["thresholds"]) == {"general", "twin"}

    found = json.loads(here("ahan", "test").stdout)
    assert {f"test/{kind}_{what}" for kind in ("general", "twin") for what in ("accuracy", "eer", "auc", "d_prime", "tar_far_0.1")} <= set(
        found
    )
    for name in ("test/twin_accuracy", "test/twin_eer", "test/general_auc"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    assert found["test/chance"] == 0.5
    figures = {file.stem for file in (run / "figures").glob("*.png")}
    assert {"roc", "det", "scores", "twins", "scales"} <= figures
    rows = list(csv.DictReader((run / "answers.csv").open()))
    assert {row["kind"] for row in rows} == {"genuine", "twin", "general"}

    assert here("ahan", "export", "-o", "faces.ts").returncode == 0
    paths = write_examples(tmp_path, 3)
    said = here("predict", "faces.ts", *paths)
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert all(len(row["embedding"]) == 16 for row in answers)
    held = torch.jit.load(str(tmp_path / "faces.ts")).state_dict()
    assert not [name for name in held if "objective" in name or "arc" in name], "no person of the training leaves with the file"


@pytest.mark.full
def test_draws_are_found_again_after_a_resume(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(name: str) -> dict[str, torch.Tensor]:
        (run,) = (path.parent for path in tmp_path.glob("mlruns/runs/ahan/*/run.json") if json.loads(path.read_text())["name"] == name)
        return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]

    options = (*SMALL, "--model.tapwca.draw=sample", "--model.loss.triplet_negative=random", "--quiet")
    assert here("ahan", "fit", *options, "--name", "whole").returncode == 0
    begin = Verification.on_train_batch_start

    def interrupted(self: Verification, batch: Any, batch_idx: int) -> None:
        begin(self, batch, batch_idx)
        if self.trainer.global_step == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Verification, "on_train_batch_start", interrupted)
        assert here("ahan", "fit", *options, "--name", "parts").returncode == 130
    assert here("ahan", "fit", "--ckpt", "last", "--run", "parts", "--quiet").returncode == 0
    whole, resumed = weights("whole"), weights("parts")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.full
def test_hard_twins_are_measured_by_the_scores_that_another_test_left(here: Here, tmp_path: Path) -> None:
    assert here("ahan", "fit", *SMALL, "--name", "first", "--quiet").returncode == 0
    found = json.loads(here("ahan", "test").stdout)
    (answers,) = tmp_path.glob("mlruns/runs/ahan/*/answers.csv")
    hard = json.loads(here("ahan", "test", f"--model.hard_twins={answers}").stdout)
    assert "test/hard_twin_eer" in hard
    assert hard["test/twin_eer"] == found["test/twin_eer"]
    wrong = here("ahan", "test", "--model.hard_twins=none.csv")
    assert wrong.returncode == 2
    assert "it is answers.csv" in wrong.line
