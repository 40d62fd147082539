"""A sweep as a user calls it, on a set that trains in seconds; and how its points are read."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from apps.base.errors import UserError
from apps.base.sweep.grid import points, read_axis
from apps.base.tracking.finding import find_runs
from tests.system.command import Here, Said

TINY = ("--config", "embedded", "--config", "plain", "--data.train=24", "--data.val=12", "--data.test=12", "--trainer.max_epochs=1")


@pytest.fixture
def call(here: Here) -> Here:
    return lambda *words: here("--quiet", "mil", *words)


def answer(said: Said) -> dict[str, Any]:
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_every_combination_is_trained_and_the_best_one_keeps_its_checkpoint(call: Here) -> None:
    over = ("--over", "model.optim.lr=1e-9,5e-3", "--over", "model.host.dim=8,16")
    found = answer(call("sweep", *TINY, *over, "--seeds", 2, "--name", "grid", "--json"))
    runs = find_runs(Path())
    (parent,) = [run for run in runs if run.name == "grid"]
    children = {run.name: run for run in runs if run.parent == parent.id}
    places = [f"model.optim.lr={lr},model.host.dim={dim}" for lr in ("1e-9", "5e-3") for dim in (8, 16)]
    assert sorted(children) == sorted(f"grid-{place}-seed{seed}" for place in places for seed in (0, 1))
    for run in children.values():
        init = run.config()["model"]["init_args"]
        assert run.kind == "point"
        assert f"model.host.dim={init['host']['dim']}-" in run.name
        assert not list(run.checkpoints.glob("*.ckpt"))
    rows = found["rows"]
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    for row in rows:
        own = [run.history()["selected"][-1][1] for name, run in children.items() if name.startswith(f"grid-{row['where']}-seed")]
        assert row["mean"] == pytest.approx(sum(own) / 2, abs=1e-6)
    assert found["best"] == rows[0]["where"]
    (kept,) = parent.checkpoints.glob("*.ckpt")
    (winner,) = [run for run in children.values() if run.id in kept.name]
    assert winner.name.startswith(f"grid-{found['best']}-seed")
    assert cv2.imread(str(parent.figures / "sweep.png")) is not None
    assert answer(call("test"))["run"] == parent.id
    # called again, nothing is done again
    assert answer(call("sweep", *TINY, *over, "--seeds", 2, "--name", "grid", "--json")) == found
    assert all(len(run.attempts) == 1 for run in find_runs(Path()) if run.parent)
    said = call("sweep", *TINY, *over, "--name", "grid")
    assert said.returncode == 2
    assert "other points" in said.line


def test_a_sweep_that_was_broken_off_goes_on(call: Here, second_dies: list[Any]) -> None:
    over = ("--over", "model.host.dim=8,16")
    said = call("sweep", *TINY, *over, "--name", "torn")
    assert said.returncode == 1
    assert "go on with: discern mil sweep" in said.stderr
    assert "--name torn" in said.stderr
    said = call("sweep", *TINY, *over, "--name", "torn")
    assert said.returncode == 0
    assert "of 2 combinations" in said.stdout
    assert len(second_dies) == 3  # the first was not trained again


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "what to sweep over"),
        (("--over", "model.host.dim"), "a key and its values"),
        (("--over", "model.host.dim=8,"), "a key and its values"),
        (("--over", "model.host.dim=8,8"), "stands twice"),
        (("--over", "model.host.dim=8", "--over", "model.host.dim=16"), "stands twice"),
        (("--over", "seed_everything=1,2"), "--seeds"),
        (("--over", "model.host.dims=8,16"), "dims"),
        (("--over", "model.host.dim=8,wide"), "wide"),
        (("--over", "model.host.dim=8", "--seeds", "0"), "1 or more"),
    ],
)
def test_what_would_not_be_a_sweep_is_said_before_anything_trains(call: Here, words: tuple, says: str) -> None:
    said = call("sweep", *TINY, *words)
    assert said.returncode == 2
    assert says in said.line
    assert not find_runs(Path())


def test_values_may_be_lists_and_the_last_key_runs_fastest() -> None:
    axis = read_axis("optim.betas=[0.9,0.99],[0.8,0.9]")
    assert axis == ("optim.betas", ("[0.9,0.99]", "[0.8,0.9]"))
    family = points([("a", ("1", "2")), ("b", ("3",))], 5, 2)
    assert [point.label for point in family] == ["a=1,b=3-seed5", "a=1,b=3-seed6", "a=2,b=3-seed5", "a=2,b=3-seed6"]
    assert family[0].keys == ("--a=1", "--b=3", "--seed_everything=5")
    with pytest.raises(UserError, match="stands twice"):
        points([("a", ("1",)), ("a", ("2",))], 0, 1)
