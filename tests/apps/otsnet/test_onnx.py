"""The readers as ONNX files."""

from pathlib import Path
from typing import Any

import pytest

from apps.base.export import export_program
from apps.base.shell import Shell
from apps.otsnet.program import ReadWords
from tests.apps.otsnet.tiny import reader
from tests.apps.otsnet.tiny_files import FACTS

pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")

pytestmark = pytest.mark.full


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_the_file_answers_as_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    report = export_program(ReadWords(reader(name), FACTS, []), tmp_path / "words.onnx", None, Shell(quiet=True))
    assert report["passed"]
    assert "characters" in report["discrete"]
