"""Runs by name, id or beginning, and names that no run has."""

import pytest

from apps.base.errors import UserError
from apps.base.tracking.finding import find, find_runs, newest
from apps.base.tracking.run import Run


def begin(home, app="dcal", **options):
    return Run.start(home, app, "seed_everything: 3", **options)


def test_runs_are_found_by_id_by_name_and_by_an_unmistakable_beginning(tmp_path):
    first = begin(tmp_path, name="amber-heron")
    second = begin(tmp_path, name="amber-otter")
    for word in (first.id, "amber-heron", "amber-h"):
        assert find(tmp_path, word).id == first.id
    with pytest.raises(UserError, match="is several runs"):
        find(tmp_path, "amber")
    with pytest.raises(UserError, match="did you mean 'amber-otter'"):
        find(tmp_path, "amber-oter")
    assert [run.id for run in find_runs(tmp_path)] == [first.id, second.id]


def test_the_newest_run_of_an_app_is_no_seed_and_no_other_app(tmp_path):
    run = begin(tmp_path)
    begin(tmp_path, kind="seed", parent=run.id)
    begin(tmp_path, app="ahan")
    assert newest(tmp_path, "dcal").id == run.id
    with pytest.raises(UserError, match="discern mil fit"):
        newest(tmp_path, "mil")


def test_two_runs_never_share_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("apps.base.tracking.names._ADJECTIVES", ["amber", "bold"])
    monkeypatch.setattr("apps.base.tracking.names._NOUNS", ["heron"])
    assert len({begin(tmp_path).name for _ in range(5)}) == 5
