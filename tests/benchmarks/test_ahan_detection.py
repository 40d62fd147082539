"""The benchmark of finding and aligning faces runs from end to end on next to nothing, and says by how much a frame misses."""

import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ahan import detection
from datamodules.ahan.template import SIDE, similarity, template
from tests.datamodules.ahan import sets


def test_a_smoke_run_measures_every_kind_of_row_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    sets.lfw(tmp_path / "lfw-mini")
    with tarfile.open(tmp_path / "lfw-mini.tar", "w") as tar:
        tar.add(tmp_path / "lfw-mini", "lfw-mini")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--data", str(tmp_path), "--smoke", "--out", str(tmp_path / "out.json")])
    detection.main()
    said = capsys.readouterr().out
    assert "'detector': 'haar'" in said
    assert "no_face 4" in said  # noise
    assert "'frame': 'haar, coarse'" in said
    assert "'auc_twin': 'not measured'" in said
    assert not (tmp_path / "out.json").exists()


def test_a_frame_that_is_shifted_turned_and_scaled_misses_by_just_that() -> None:
    points = template(SIDE) * 1.5 + 20
    true = similarity(points, SIDE)
    assert np.allclose(detection.displaced(true, true), 0, atol=1e-6)
    assert np.allclose(detection.displaced(true + np.array([[0, 0, 3], [0, 0, 4]]), true), [5, 0, 0], atol=1e-6)
    c, s = np.cos(0.1), np.sin(0.1)
    _, turned, scaled = detection.displaced(1.2 * np.array([[c, -s], [s, c]]) @ true, true)
    assert turned == pytest.approx(np.degrees(0.1))
    assert scaled == pytest.approx(0.2)
