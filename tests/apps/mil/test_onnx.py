"""The programs of bags as ONNX files: any number of bags, from one instance to thousands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.mil.options import Host
from apps.mil.program import SIZES
from datamodules.mil.survival import SurvivalBags
from tests.apps.mil.test_program import HOSTS, program
from tests.apps.mil.test_survival import task_of
from tests.system.command import Here

pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")

QUIET = Shell(quiet=True)


def test_predict_answers_for_bags_of_any_size(tmp_path: Path, here: Here) -> None:
    made = program(Host("max", dim=16))
    report = export_program(made, tmp_path / "bags.onnx", None, QUIET)
    assert all(any(f"forward(float32 {n}x6," in case for case in report["cases"]) for n in SIZES)
    bags = {f"{n}.npy": np.random.default_rng(n).standard_normal((n, 6)).astype(np.float32) for n in (3, 70, 1)}
    for name, bag in {**bags, "narrow.npy": np.ones((3, 5), np.float32)}.items():
        np.save(tmp_path / name, bag)
    said = here("predict", "bags.onnx", *bags, "narrow.npy", "--full")
    assert said.returncode == 1
    *rows, narrow = map(json.loads, said.stdout.splitlines())
    for row, bag in zip(rows, bags.values(), strict=True):
        with torch.no_grad():
            answer = made(made.prepare(torch.from_numpy(bag)), torch.tensor([0, len(bag)]))
        assert row["decision"] == answer["decision"].item()
        assert row["attention"] == pytest.approx(answer["attention"].tolist(), abs=1e-5)
    assert "Got: 5 Expected: 6" in narrow["error"]


@pytest.mark.full
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_has_an_onnx_form(tmp_path: Path, host: Host, monkeypatch: Any) -> None:
    if host.name == "trans_mil" and torch.__version__ < "2.12":
        pytest.skip("torch 2.11 exports no convolution along a length that it cannot bound")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert export_program(program(host), tmp_path / "bags.onnx", None, QUIET)["passed"]


@pytest.mark.full
@pytest.mark.parametrize("loss", ["hazards", "cox"])
def test_risks_have_an_onnx_form(tmp_path: Path, loss: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    data = SurvivalBags(4, train=24, val=8, test=8)
    data.setup()
    task = task_of(data, host=Host("ab_mil", dim=16), loss=loss).eval()
    assert export_program(task.program("risks", data.examples(2)), tmp_path / "risks.onnx", None, QUIET)["passed"]
