"""Promise 10: old files load. Each release adds a folder with a checkpoint and an exported file of every application."""

import json
from importlib import import_module
from typing import Any

import pytest
import torch

from apps.base.card import find_cards
from tests.system.alike import alike
from tests.system.command import Here
from tests.system.write_old_files import EXAMPLES, FORMS, OLD, answers

WRITTEN_BY = "2.13"
KEPT = sorted((path.parent.name, path.stem) for path in OLD.glob("*/*.json"))
each = pytest.mark.parametrize(("release", "app"), KEPT)


def expected(release: str, app: str) -> dict[str, Any]:
    return json.loads((OLD / release / f"{app}.json").read_text())


def test_every_application_has_old_files() -> None:
    assert {app for _, app in KEPT} >= set(find_cards())


@each
def test_a_checkpoint_of_an_old_release_is_tested_and_exported(here: Here, release: str, app: str) -> None:
    checkpoint = OLD / release / f"{app}.ckpt"
    done = here(app, "test", "--ckpt", checkpoint)
    assert done.returncode == 0, done.stderr
    found, figures = json.loads(done.stdout), expected(release, app)["test"]
    assert alike({key: found[key] for key in figures}, figures, within=1e-3)
    assert here(app, "export", "--ckpt", checkpoint, "-o", "new.ts").returncode == 0


@each
@pytest.mark.parametrize("form", ["ts", "onnx"])
def test_an_exported_file_of_an_old_release_answers(tmp_path, here: Here, release: str, app: str, form: str) -> None:
    if form not in FORMS.get(app, ("ts", "onnx")):
        pytest.skip(f"{app} writes no .{form}")
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    elif torch.__version__ < WRITTEN_BY:  # a TorchVersion: torch reads the programs of older ones, not of newer ones
        pytest.skip(f"the file was written by torch {WRITTEN_BY}")
    module, name = (find_cards()[app].examples or "").split(":")
    done = here("predict", OLD / release / f"{app}.{form}", *getattr(import_module(module), name)(tmp_path, EXAMPLES), "--trust")
    assert done.returncode == 0, done.stderr
    for found, told in zip(answers(done.stdout), expected(release, app)["answers"], strict=True):
        assert alike({key: found[key] for key in told}, told, within=1e-4)  # a file of the other format may say more


@pytest.mark.parametrize("release", sorted({release for release, _ in KEPT}))
def test_a_checkpoint_of_graphs_of_an_old_release_is_explained(here: Here, release: str) -> None:
    assert here("histograph", "explain", "--ckpt", OLD / release / "histograph.ckpt", "-o", "why", "--limit", "2").returncode == 0
