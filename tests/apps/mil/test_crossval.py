"""`discern mil crossval` as a user calls it, on a set that trains in seconds."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.ranking import auc
from apps.base.tracking.finding import find_runs
from apps.base.tracking.run import Run
from tests.system.command import Here, Said

TINY = (
    "--config", "small", "--data.path=set.npz", "--data.folds=3", "--model.host.dim=8", "--model.teacher.epochs=1",
    "--trainer.max_epochs=2", "--trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def call(here: Here) -> Here:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 6, 36)
    y = np.arange(36) % 2
    x = rng.normal(size=(lengths.sum(), 5)) + 1.2 * np.repeat(y, lengths)[:, None]
    np.savez("set.npz", x=x.astype(np.float32), offsets=np.concatenate([[0], lengths.cumsum()]), y=y.astype(np.int8))
    return lambda *words: here("--quiet", "mil", *words)


def answer(said: Said) -> dict[str, Any]:
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def family(name: str) -> tuple[Run, list[Run]]:
    runs = find_runs(Path())
    (parent,) = [run for run in runs if run.name == name]
    return parent, sorted((run for run in runs if run.parent == parent.id), key=lambda run: run.name)


def answers_of(run: Run) -> list[dict[str, str]]:
    with (run.folder / "answers.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pooled(rows: list[dict[str, str]]) -> float:
    probs = torch.tensor([float(row["p_1"]) for row in rows], dtype=torch.float64)
    return float(auc(probs, torch.tensor([row["label"] == "1" for row in rows])))


def test_every_fold_is_mined_and_tested_and_the_pooled_figure_is_that_of_the_answers(call: Here) -> None:
    found = answer(call("crossval", *TINY, "--name", "cv", "--json"))
    assert (found["trainings"], found["metric"]) == (3, "test/auc")
    assert found["selected_on"].startswith("validation: each child's epoch of the highest val/select")
    parent, children = family("cv")
    assert [run.name for run in children] == [f"cv-repeat0-fold{i}-seed0" for i in range(3)]
    tables = [answers_of(run) for run in children]
    for run, rows in zip(children, tables, strict=True):
        assert run.history()["test/auc"][0][1] == pytest.approx(pooled(rows), abs=1e-6)
        right = [row["label"] == row["decision"] for row in rows]
        assert run.history()["test/accuracy"][0][1] == pytest.approx(sum(right) / len(right), abs=1e-6)
    rows = [row for table in tables for row in table]
    assert sorted(row["bag"] for row in rows) == sorted(f"bag {i}" for i in range(36))  # each tested once
    (note,) = found["notes"]
    assert note.startswith(f"pooled out-of-fold AUC {pooled(rows):.4f}, 95 % interval ")
    assert "of 36 patients with 36 bags)" in note
    assert json.loads((parent.folder / "crossval.json").read_text())["notes"] == [note]
    # the parent has the checkpoint of the best validation score, and is tested as its fold was
    (kept,) = parent.checkpoints.glob("*.ckpt")
    best = max(children, key=lambda run: run.history()["selected"][0][1])
    assert best.id in kept.name
    assert bool(torch.load(kept, weights_only=True)["state_dict"]["model.mining"])
    assert answer(call("test"))["test/auc"] == pytest.approx(best.history()["test/auc"][0][1], abs=1e-6)
    assert answers_of(parent) == tables[children.index(best)]


@pytest.mark.full  # eight trainings: 25 s
def test_repeats_and_seeds_are_averaged_and_share_what_is_drawn(call: Here) -> None:
    found = answer(call("crossval", *TINY, "--folds", "0,1", "--repeats", "2", "--name", "cv", "--json"))
    _, children = family("cv")
    turns: dict[int, list[dict[str, str]]] = {}
    for run in children:
        turns.setdefault(run.config()["data"]["init_args"]["repeat"], []).extend(answers_of(run))
    (note,) = found["notes"]
    assert note.startswith(f"pooled out-of-fold AUC {np.mean([pooled(rows) for rows in turns.values()]):.4f}, ")
    assert "mean of 2 repeats and seeds" in note
    # a later call for one of the folds speaks of that fold
    (note,) = answer(call("crossval", *TINY, "--folds", "1", "--name", "cv", "--json"))["notes"]
    rows = [row for run in children if "repeat0-fold1" in run.name for row in answers_of(run)]
    assert note.startswith(f"pooled out-of-fold AUC {pooled(rows):.4f}, ")
    (children[0].folder / "answers.csv").unlink()
    (note,) = answer(call("crossval", *TINY, "--folds", "0,1", "--repeats", "2", "--name", "cv", "--json"))["notes"]
    assert note.startswith(f"no pooled AUC: {children[0].name} was tested before answers were kept")


def test_parity_is_marked_as_selected_on_test_wherever_a_figure_stands(call: Here) -> None:
    said = call("crossval", *TINY, "--data.protocol=parity", "--folds", "0", "--name", "cv")
    assert said.returncode == 0, said.stderr
    assert "SELECTED ON TEST" in said.stdout
    assert "selected on test: optimistic" in said.stderr
    assert any(line.startswith("discern: pooled") and line.endswith("SELECTED ON TEST") for line in said.stderr.splitlines()), said.stderr
    parent, children = family("cv")
    assert json.loads((parent.folder / "crossval.json").read_text())["selected_on"].startswith("test")
    # names of bags and patients stay out of everything that leaves the machine
    assert all((run.folder / "answers.csv").stat().st_mode & 0o077 == 0 for run in children)
    sent = [event["path"] for run in [parent, *children] for event in run.events() if event["kind"] in ("artifact", "figure", "model")]
    assert sent
    assert not any("answers" in path for path in sent)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "HardBags has no folds"),
        ((*TINY, "--folds", "0,3"), "folds 0..2"),
        ((*TINY, "--data.protocol=official"), "official"),
        (("--config", "small", "--data.path=nowhere.npz"), "no such file"),
    ],
)
def test_wrong_words_are_one_line_before_anything_trains(call: Here, words: tuple[str, ...], says: str) -> None:
    said = call("crossval", *words)
    assert said.returncode == 2
    assert says in said.line
    assert not find_runs(Path())
