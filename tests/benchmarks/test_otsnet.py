"""The benchmarks of otsnet run from beginning to end, on next to nothing."""

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.otsnet import generator


def test_generator_runs_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["generator", "--smoke", "--out", str(tmp_path / "out.json")])
    generator.main()
    assert capsys.readouterr().out.count("pictures_a_second") == len(generator.ARMS)
    assert not (tmp_path / "out.json").exists()
