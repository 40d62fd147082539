"""The search among templates runs at miniature size, finds whom it looks for, and writes nothing on --smoke."""

import sys
from pathlib import Path

import numpy as np
import pytest

from apps.ahan.identification import Searcher
from benchmarks.ahan import search


def test_it_runs_on_next_to_nothing_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["search", "--smoke", "--out", str(tmp_path / "x.json")])
    search.main()
    assert "'people': 500" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_nearest_of_all_is_found_whatever_its_place() -> None:
    people = search.people_of(300, 16)
    searcher = Searcher(people)
    for row in (0, 150, 299):
        hits = searcher.search(people.vectors[row][None], 3)[0]
        assert hits[0].id == f"person {row}"
        expected = np.sort(people.vectors @ people.vectors[row])[::-1][:3]
        np.testing.assert_allclose([hit.score for hit in hits], expected, atol=1e-5)
