"""Promise 10: old files load. Each release adds a folder with a checkpoint and an exported file of every application."""

import json
from pathlib import Path

import pytest
import torch

from tests.system.command import Here

OLD = Path(__file__).parents[1] / "old_files"
WRITTEN_BY = "2.13"
RELEASES = sorted(path.name for path in OLD.iterdir() if path.is_dir())
FORMATS = ("ts", "onnx")


def file_of(release: str, app: str, form: str) -> Path:
    """An exported file, where it can be read here."""
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    elif torch.__version__ < WRITTEN_BY:  # a TorchVersion: torch reads the programs of older ones, not of newer ones
        pytest.skip(f"the file was written by torch {WRITTEN_BY}")
    return OLD / release / f"{app}.{form}"


@pytest.mark.parametrize("release", RELEASES)
def test_a_checkpoint_of_an_old_release_is_tested_and_exported(tmp_path, here: Here, release):
    done = here("dcal", "test", "--ckpt", OLD / release / "dcal.ckpt")
    assert done.returncode == 0, done.stderr
    expected = json.loads((OLD / release / "dcal.json").read_text())
    answer = json.loads(done.stdout)
    assert answer["test/top1"] == expected["test/top1"]
    assert here("dcal", "export", "--ckpt", OLD / release / "dcal.ckpt", "-o", "new.ts").returncode == 0


@pytest.mark.parametrize("release", RELEASES)
def test_a_checkpoint_of_graphs_of_an_old_release_is_tested_explained_and_exported(tmp_path, here: Here, release):
    checkpoint = OLD / release / "histograph.ckpt"
    done = here("histograph", "test", "--ckpt", checkpoint)
    assert done.returncode == 0, done.stderr
    expected = json.loads((OLD / release / "histograph.json").read_text())
    answer = json.loads(done.stdout)
    assert {key: answer[key] for key in expected["test"]} == pytest.approx(expected["test"], abs=1e-4)
    assert here("histograph", "explain", "--ckpt", checkpoint, "-o", "why", "--limit", "2").returncode == 0
    assert here("histograph", "export", "--ckpt", checkpoint, "-o", "new.ts").returncode == 0


@pytest.mark.parametrize("release", RELEASES)
def test_a_checkpoint_of_bags_of_an_old_release_is_tested_and_exported(tmp_path, here: Here, release):
    checkpoint = OLD / release / "mil.ckpt"
    done = here("mil", "test", "--ckpt", checkpoint)
    assert done.returncode == 0, done.stderr
    expected = json.loads((OLD / release / "mil.json").read_text())
    assert json.loads(done.stdout)["test/auc"] == pytest.approx(expected["test/auc"], abs=1e-3)
    assert here("mil", "export", "--ckpt", checkpoint, "-o", "new.ts").returncode == 0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("release", RELEASES)
def test_an_exported_file_of_bags_of_an_old_release_answers(tmp_path, here: Here, release, form):
    from datamodules.mil.synth import write_examples

    paths = write_examples(tmp_path, 6)
    done = here("predict", file_of(release, "mil", form), *paths, "--trust")
    assert done.returncode == 0, done.stderr
    best = [json.loads(line)["probs"][0] for line in done.stdout.splitlines()]
    expected = json.loads((OLD / release / "mil.json").read_text())
    assert [row["label"] for row in best] == ["negative"] * 6
    assert [row["probability"] for row in best] == pytest.approx(expected["probabilities"], abs=1e-4)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("release", RELEASES)
def test_an_exported_file_of_graphs_of_an_old_release_answers(tmp_path, here: Here, release, form):
    from datamodules.histograph.synth import write_examples

    paths = write_examples(tmp_path, 6)
    done = here("predict", file_of(release, "histograph", form), *paths, "--trust")
    assert done.returncode == 0, done.stderr
    expected = json.loads((OLD / release / "histograph.json").read_text())
    best = [json.loads(line)["probs"][0] for line in done.stdout.splitlines()]
    assert [row["label"] for row in best] == expected["labels"]
    assert [row["probability"] for row in best] == pytest.approx(expected["probabilities"], abs=1e-4)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("release", RELEASES)
def test_an_exported_file_of_an_old_release_answers(tmp_path, here: Here, release, form):
    from datamodules.dcal.synth import write_examples

    paths = write_examples(tmp_path, 6)
    done = here("predict", file_of(release, "dcal", form), *paths, "--trust")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["probs"][0]["label"] for line in done.stdout.splitlines()] == json.loads(
        (OLD / release / "dcal.json").read_text()
    )["labels"]
