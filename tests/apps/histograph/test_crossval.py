"""crossval, compare and leakcheck as a user calls them, on a set that trains in seconds."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.family import child as one_child
from apps.base.tracking.finding import find_runs
from apps.base.tracking.run import Run
from datamodules.histograph.synth import cycles
from tests.system.command import Here, Said

TINY = (
    "--config", "small", "--model.backbone.layers=2", "--model.backbone.width=8", "--trainer.max_epochs=2", "--trainer.accelerator=cpu",
    "--data.path=own.jsonl", "--data.folds=folds.json", "--data.batch_size=16",
)  # fmt: skip


@pytest.fixture
def call(here: Here) -> Here:
    with Path("own.jsonl").open("w") as file:
        for graph in cycles(60, seed=9):
            item = {"x": graph.x.tolist(), "edges": graph.edge_index.T.tolist(), "label": f"ring {int(graph.y) % 2}"}
            file.write(json.dumps(item) + "\n")
    Path("folds.json").write_text(json.dumps({"fold": [i % 3 for i in range(60)]}))
    return lambda *words: here("--quiet", "histograph", *words)


def answer(said: Said) -> dict[str, Any]:
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def children(name: str) -> dict[str, Run]:
    runs = find_runs(Path())
    (parent,) = [run for run in runs if run.name == name]
    return {run.name: run for run in runs if run.parent == parent.id}


def test_every_fold_is_trained_tested_once_and_summed_up(call: Here) -> None:
    found = answer(call("crossval", *TINY, "--name", "cv", "--json"))
    assert found["trainings"] == 3
    assert found["metric"] == "test/accuracy"
    assert found["selected_on"].startswith("validation: each child's epoch of the lowest val/loss")
    own = children("cv")
    assert sorted(own) == ["cv-fold0-seed0", "cv-fold1-seed0", "cv-fold2-seed0"]
    tested = [run.history()["test/accuracy"] for run in own.values()]
    assert all(len(points) == 1 for points in tested)
    assert found["mean"] == pytest.approx(sum(points[0][1] for points in tested) / 3, abs=1e-6)
    assert [run.config()["data"]["init_args"]["fold"] for run in own.values()] == [0, 1, 2]
    # children keep metrics and config; the parent the checkpoint that validation chose
    assert all(run.kind == "fold" and not list(run.checkpoints.iterdir()) for run in own.values())
    (parent,) = [run for run in find_runs(Path()) if run.name == "cv"]
    (kept,) = parent.checkpoints.glob("*.ckpt")
    best = min(own.values(), key=lambda run: run.history()["selected"][0][1])
    assert best.id in kept.name
    assert cv2.imread(str(parent.figures / "folds.png")) is not None
    measured = answer(call("test"))
    assert measured["run"] == parent.id
    assert measured["test/accuracy"] == pytest.approx(best.history()["test/accuracy"][0][1], abs=1e-6)
    # called again, nothing is done again
    before = {run.id: len(run.attempts) for run in find_runs(Path()) if run.parent}
    again = answer(call("crossval", *TINY, "--name", "cv", "--json"))
    assert again == found
    assert {run.id: len(run.attempts) for run in find_runs(Path()) if run.parent} == before
    # leakcheck reads the run that the parent is
    leak = answer(call("leakcheck", "cv", "--graphs", 6))
    assert leak["run"] == parent.id
    assert leak["graphs"] == 6
    assert leak["worst"] < 1e-9
    assert leak["gradient"] == 0


def test_a_cross_validation_killed_in_the_middle_goes_on_to_the_same_numbers(call: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answer(call("crossval", *TINY, "--folds", "0,1", "--name", "whole", "--json"))
    saved, tested = [], []
    ends, measures = Checkpoints.on_train_epoch_end, one_child.measure

    def dies_in_training(self: Checkpoints, trainer: Any, task: Any) -> None:
        ends(self, trainer, task)
        saved.append(trainer.global_step)
        if len(saved) == 3:  # the first epoch of the second child
            raise MemoryError("killed")

    monkeypatch.setattr(Checkpoints, "on_train_epoch_end", dies_in_training)
    said = call("crossval", *TINY, "--folds", "0,1", "--name", "torn", "--json")
    assert said.returncode == 1
    assert "go on with: discern histograph crossval" in said.stderr
    assert "--name torn" in said.stderr
    first = children("torn")["torn-fold0-seed0"]

    def dies_in_the_test(*words: Any, **more: Any) -> Any:
        tested.append(words)
        if len(tested) == 1:
            raise MemoryError("killed")
        return measures(*words, **more)

    monkeypatch.setattr(one_child, "measure", dies_in_the_test)
    assert call("crossval", *TINY, "--folds", "0,1", "--name", "torn", "--json").returncode == 1
    found = answer(call("crossval", *TINY, "--folds", "0,1", "--name", "torn", "--json"))
    assert found["per_fold"] == whole["per_fold"]
    own = children("torn")
    assert own["torn-fold0-seed0"].id == first.id  # not redone
    assert len(own["torn-fold0-seed0"].attempts) == 1
    assert len(own["torn-fold1-seed0"].attempts) == 2  # resumed in training, and only tested the second time
    assert len(saved) == 4


def test_readouts_are_compared_on_the_same_folds_and_seeds(call: Here) -> None:
    answer(call("crossval", *TINY, "--name", "a", "--folds", "0,1", "--json"))
    answer(call("crossval", *TINY, "--name", "b", "--folds", "1,0,2", "--model.readout.name=mean", "--json"))
    found = answer(call("compare", "a", "b", "--json"))
    assert [row["what"] for row in found["rows"]] == ["histo on gin 2", "mean on gin 2"]
    one, other = (
        {run.config()["data"]["init_args"]["fold"]: run.history()["test/accuracy"][0][1] for run in children(name).values()}
        for name in "ab"
    )
    assert found["rows"][1]["pairs"] == 2
    assert found["rows"][1]["difference"] == pytest.approx(sum(other[fold] - one[fold] for fold in (0, 1)) / 2, abs=1e-6)
    assert found["rows"][0]["parameters"] > found["rows"][1]["parameters"]
    assert "less a" in call("compare", "a", "b").stdout
    # never two protocols in one table
    said = call("crossval", *TINY, "--name", "c", "--folds", "0,1", "--data.protocol=gin-convention")
    assert said.returncode == 0
    assert "SELECTED ON TEST" in said.stdout
    said = call("compare", "a", "c")
    assert said.returncode == 2
    assert "never put into one table" in said.line
    (gin,) = [run for run in find_runs(Path()) if run.name == "c"]
    assert gin.kind == "comparison"  # so that it is never the newest run to export
    assert not list(gin.checkpoints.iterdir())
    assert "selected on test" in json.loads((gin.folder / "data.json").read_text())["protocol"]
    curves = [[value for _, value in run.history()["val/accuracy"]] for run in children("c").values()]
    means = [sum(points) / 2 for points in zip(*curves, strict=True)]
    about = json.loads((gin.folder / "crossval.json").read_text())
    assert about["mean"] == pytest.approx(max(means), abs=1e-6)
    assert about["selected_on"].startswith("test")
    assert "selected on test" in about["notes"][0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Cycles has no folds"),
        ((*TINY, "--folds", "0,3"), "folds 0..2"),
        ((*TINY, "--folds", "0,x"), "numbers with commas"),
        ((*TINY, "--seeds", "0"), "1 or more"),
        ((*TINY, "--jobs", "0"), "1 or more"),
        ((*TINY, "--repeats", "2"), "leave it out"),
        ((*TINY, "--ray-address", "x:1"), "belongs to --engine ray"),
        ((*TINY, "--data.foldd", "1"), "fold"),
        ((*TINY[:-2], "--data.folds=null", "--data.path=nowhere"), "nowhere"),
    ],
)
def test_wrong_words_of_crossval_are_said_before_anything_trains(call: Here, words: tuple[str, ...], says: str) -> None:
    said = call("crossval", *words)
    assert said.returncode == 2
    assert says in said.line
    assert not find_runs(Path())


def test_wrong_words_of_compare_and_leakcheck_are_one_line(call: Here) -> None:
    answer(call("crossval", *TINY, "--folds", "0", "--name", "cv", "--json"))
    for words, says in (
        (("compare", "cv"), "two or more"),
        (("compare", "cv", "cw"), "no run 'cw'"),
        (("compare", "cv", "cv-fold0-seed0"), "no finished cross-validation"),
        (("leakcheck", "cv", "--graphs", "1"), "at least 2"),
        (("leakcheck", "nowhere.ckpt"), "no such checkpoint"),
        (("crossval", *TINY, "--folds", "0", "--name", "cv", "--model.dropout=0.1"), "another recipe"),
    ):
        said = call(*words)
        assert said.returncode == 2, words
        assert says in said.line
