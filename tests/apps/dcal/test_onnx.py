"""The programs of pictures as ONNX files."""

import pytest

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.dcal.embed import Embed
from tests.apps.dcal.tiny_files import classifier, facts, tiny_model

pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")

pytestmark = pytest.mark.full


@pytest.mark.parametrize("program", ["classify", "embed", "embed, plain trunk"])
def test_the_file_answers_as_the_model(tmp_path, monkeypatch, program):
    monkeypatch.setenv("HOME", str(tmp_path))
    branches = "sa" if "plain" in program else "both"
    made = classifier() if program == "classify" else Embed(tiny_model(), facts(2), [], branches)
    report = export_program(made, tmp_path / "model.onnx", None, Shell(quiet=True))
    assert report["passed"]
    assert ("selected" in report["discrete"]) == (branches == "both")
