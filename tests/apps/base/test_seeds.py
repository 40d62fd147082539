"""`fit --seeds` as a user calls it, on a set that trains in seconds."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.base.tracking.finding import find_runs
from apps.base.tracking.run import Run
from tests.system.command import Here

TINY = ("--config", "embedded", "--config", "plain", "--data.train=24", "--data.val=12", "--data.test=12", "--trainer.max_epochs=1")


@pytest.fixture
def fit(here: Here) -> Here:
    return lambda *words: here("--quiet", "mil", "fit", *TINY, *words)


def seeds() -> dict[str, Run]:
    return {run.name: run for run in find_runs(Path()) if run.parent}


def test_seeds_that_were_broken_off_go_on_and_more_may_be_added(fit: Here, second_dies: list[Any]) -> None:
    said = fit("--seeds", 2, "--name", "a/b")
    assert said.returncode == 1
    assert "go on with: discern mil fit" in said.stderr
    assert "--name a/b" in said.stderr
    said = fit("--seeds", 2, "--name", "a/b")
    assert said.returncode == 0, said.stderr
    assert len(second_dies) == 3  # the first was not trained again
    more = fit("--seeds", 3, "--name", "a/b")
    assert more.returncode == 0, more.stderr
    assert len(second_dies) == 4
    (parent,) = [run for run in find_runs(Path()) if run.parent is None]
    assert parent.state == "finished"
    assert sorted(seeds()) == ["a/b-seed0", "a/b-seed1", "a/b-seed2"]
    assert {run.config()["seed_everything"] for run in seeds().values()} == {0, 1, 2}
    scores = [run.history()["selected"][-1][1] for run in seeds().values()]
    answer = json.loads(more.stdout)
    assert answer["run"] == parent.id
    (mean,) = [value for key, value in answer.items() if key.startswith("seeds/") and not key.endswith("half_interval")]
    assert mean == pytest.approx(sum(scores) / 3)
    assert len(list(Path().glob("mlruns/runs/mil/*/checkpoints/*.ckpt"))) == 1
    before = parent.attempts
    said = fit("--seeds", 2, "--name", "a/b")
    assert said.returncode == 2
    assert "has 3 seeds" in said.line
    assert Run.open(parent.folder).attempts == before  # refused before it was touched


def test_seeds_of_two_processes_are_the_seeds_of_one(fit: Here) -> None:
    one, two = (json.loads(fit("--seeds", 2, "--threads", 1, "--jobs", jobs, "--name", f"j{jobs}").stdout) for jobs in (1, 2))
    assert {**one, "run": None} == {**two, "run": None}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--jobs", "2"), "go with --seeds"),
        (("--engine", "ray"), "go with --seeds"),
        (("--seeds", "2", "--jobs", "0"), "argument --jobs: '0' is not a count"),
        (("--seeds", "2", "--ray-address", "x:1"), "belongs to --engine ray"),
        (("--seeds", "2", "--init", "x.safetensors"), "from scratch"),
    ],
)
def test_what_would_be_ignored_is_refused_before_anything_trains(fit: Here, words: tuple[str, ...], says: str) -> None:
    said = fit(*words)
    assert said.returncode == 2
    assert says in said.line
    assert not find_runs(Path())
