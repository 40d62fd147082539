"""`discern demo`: the whole way in one word."""

import base64
import json
from dataclasses import replace
from unittest.mock import Mock

import pytest

from apps.base import demo
from apps.base.card import find_cards
from apps.base.errors import FailureError
from apps.base.shell import Shell
from tests.system.command import Here, discern


@pytest.mark.full
def test_the_fast_demo_goes_the_whole_way(tmp_path):
    done = discern("demo", "--fast", "dcal", home=tmp_path, check=False)
    assert done.returncode in (0, 1), done.stderr  # after one epoch it may still be no better than chance, and then says so
    assert (done.returncode == 1) == ("no better than the trivial baseline: dcal" in done.stderr)
    head, row = done.stdout.splitlines()
    assert head.split() == ["app", "metric", "value", "trivial", "baseline", "seconds", "exported", "file"]
    app, metric, value, baseline, _, file = row.split()
    assert (app, metric, baseline) == ("dcal", "test/top1", "0.125")
    assert 0 <= float(value) <= 1
    assert (tmp_path / file).is_file()
    assert "dcal: asked the exported file: " in done.stderr
    assert done.stderr.splitlines()[-1 - done.returncode] == "the dashboard of these runs: discern ui"
    (run,) = tmp_path.glob("mlruns/runs/dcal/*/run.json")
    assert json.loads(run.read_text())["name"] == "demo-dcal"


@pytest.mark.full
@pytest.mark.parametrize("app", find_cards())
def test_every_application_can_be_looked_at_fast(here: Here, app):
    done = here("demo", "--fast", app)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.splitlines()[1].split()[0] == app


def row(value, baseline):
    return demo.Row("dcal", "test/top1", value, baseline, 1.0, "dcal.ts", None)


@pytest.mark.parametrize(("value", "code"), [(0.9, 0), (0.125, 1), (float("nan"), 1)])
def test_no_better_than_the_baseline_is_a_failure(here: Here, monkeypatch, value, code):
    monkeypatch.setattr(demo, "_go", lambda shell, card, options: row(value, 0.125))
    done = here("demo")
    assert done.returncode == code
    assert ("no better than the trivial baseline: dcal" in done.stderr) == bool(code)


def test_the_commands_it_tells_are_quoted_and_name_the_home(tmp_path, here: Here, monkeypatch):
    (tmp_path / "my home").mkdir()
    monkeypatch.setattr(demo, "_go", lambda shell, card, options: row(0.9, 0.125))
    assert "discern --home 'my home' ui" in here("--home", "my home", "demo").stderr


def test_what_it_tests_and_exports_is_the_run_that_it_trained(tmp_path, monkeypatch):
    """Another process may begin a newer one in the same home."""
    card, said = replace(find_cards()["dcal"], examples=None, picture="sure"), []
    answers = {"fit": {"run": "mine"}, "test": {"run": "mine", card.metric: 0.9, card.baseline: 0.1}, "export": {"file": "dcal.ts"}}

    def discern(shell, words):
        said.append(words)
        print(json.dumps(answers[words[1]]))
        return 0

    monkeypatch.setattr(demo, "dispatch", discern)
    monkeypatch.setattr(demo, "find", lambda home, run: Mock(figures=tmp_path / run))
    demo._go(Shell(home=tmp_path, quiet=True), card, ())
    assert said[1:] == [["dcal", "test", "--run", "mine"], ["dcal", "export", "--run", "mine"]]


def test_a_step_that_fails_is_named_as_a_command(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "dispatch", lambda shell, words: 130)
    with pytest.raises(FailureError, match=r"discern --home .* dcal fit --name 'my demo' left with 130"):
        demo._discern(Shell(home=tmp_path), ["dcal", "fit", "--name", "my demo"])


def test_an_unknown_application_is_the_users_mistake(here: Here):
    done = here("demo", "dcla")
    assert done.returncode == 2
    assert "'dcal'" in done.line


def test_what_was_made_is_one_page_with_its_pictures(tmp_path, here: Here, monkeypatch):
    picture = tmp_path / "confused.png"
    picture.write_bytes(b"\x89PNG")
    monkeypatch.setattr(demo, "_go", lambda shell, card, options: replace(row(0.9, 0.125), picture=str(picture)))
    here("demo", "dcal")
    page = (tmp_path / "mlruns/demo.html").read_text()
    assert "0.900" in page
    assert base64.b64encode(picture.read_bytes()).decode() in page
