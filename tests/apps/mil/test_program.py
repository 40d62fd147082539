"""The exported bag model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.mil.options import Host, Mask, Teacher
from apps.mil.program import SIZES
from apps.mil.task import Classification
from tests.system.command import Here

FACTS = {
    "classes": ["negative", "positive"], "features": 6, "mean": [1.0] * 6, "std": [2.0] * 6, "patients": [], "counts": [3, 3],
    "licence": "none", "protocol": "clean", "threshold": 0.4,
}  # fmt: skip
HOSTS = [Host("ab_mil", dim=16), Host("ds_mil", dim=16), Host("max", dim=16), Host("trans_mil", dim=16, landmarks=4)]


def program(host: Host = HOSTS[0], **facts: Any) -> Any:
    torch.manual_seed(0)
    task = Classification(host=host, mask=Mask(high=0.1), teacher=Teacher(epochs=1))
    task.build(FACTS | facts)
    return task.eval().program("bags", [torch.randn(9, 6)])


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_the_file_answers_as_the_student_from_one_instance_to_thousands(tmp_path: Path, host: Host, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    report = export_program(program(host), tmp_path / "bags.ts", None, Shell(quiet=True))
    assert {1, 2, 7, 255, 256, 257, 5000} <= set(SIZES)
    assert all(any(f"forward(float32 {n}x6," in case for case in report["cases"]) for n in SIZES)
    assert report["worst"]["probs"]["difference"] <= 1e-5


@pytest.mark.full
def test_both_formats_are_written(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert export_program(program(), tmp_path / "bags.pt2", None, Shell(quiet=True))["passed"]


def test_only_the_student_is_in_the_weights() -> None:
    names = list(program().weights().state_dict())
    assert names
    assert all(name.startswith("student.") for name in names)


def test_the_decision_is_made_at_the_stored_threshold() -> None:
    made = program(threshold=0.0)
    assert made(torch.randn(4, 6), torch.tensor([0, 4]))["decision"].tolist() == [1]
    assert program(threshold=1.1)(torch.randn(4, 6), torch.tensor([0, 4]))["decision"].tolist() == [0]


def test_the_program_clips_as_training_did() -> None:
    x = torch.tensor([[1.0, 3.0, 5.0, 7.0, -9.0, 1.0]])  # mean 1, deviation 2
    assert program(clip=2.0).prepare(x).tolist() == [[0, 1, 2, 2, -2, 0]]
    assert program().prepare(x).tolist() == [[0, 1, 2, 3, -5, 0]]


def test_several_classes_are_decided_by_the_likeliest() -> None:
    answer = program(classes=["a", "b", "c"], counts=[1, 1, 1])(torch.randn(4, 6), torch.tensor([0, 1, 4]))
    assert torch.equal(answer["decision"], answer["probs"].argmax(1))
    assert answer["instance"].shape == (4, 3)


def test_predict_answers_for_bags_of_any_size_and_names_what_is_none(tmp_path: Path, here: Here) -> None:
    export_program(program(), tmp_path / "bags.ts", None, Shell(quiet=True))
    for name, x in {
        "a": np.ones((3, 6)), "b": np.ones((70, 6)), "c": np.ones((1, 6)), "empty": np.ones((0, 6)), "narrow": np.ones((3, 5)),
        "nan": np.full((3, 6), np.nan),
    }.items():  # fmt: skip
        np.save(tmp_path / f"{name}.npy", x.astype(np.float32))
    files = [f"{name}.npy" for name in ("a", "empty", "b", "narrow", "c", "nan")]
    said = here("predict", "bags.ts", *files, "--full")
    assert said.returncode == 1
    rows = {row["input"]: row for row in map(json.loads, said.stdout.splitlines())}
    assert [len(rows[f"{name}.npy"]["attention"]) for name in "abc"] == [3, 70, 1]
    assert sum(rows["b.npy"]["attention"]) == pytest.approx(1, abs=1e-4)
    assert rows["a.npy"]["probs"][0]["probability"] == pytest.approx(rows["b.npy"]["probs"][0]["probability"], abs=1e-5)
    assert "no instances" in rows["empty.npy"]["error"]
    assert "FeatureMismatch" in rows["narrow.npy"]["error"]
    assert "not finite" in rows["nan.npy"]["error"]
