"""A package from elsewhere offers its card under an entry point; one that is broken takes nothing else away."""

import json
from dataclasses import replace

import pytest

from apps.base import outside
from apps.base.card import APPS, Card, Verb, find_cards, left_out
from apps.base.dispatch import dispatch
from apps.base.shell import Shell
from tests.system.command import ROOT, discern, one_line


class FakePoint:
    """An entry point that needs no installed distribution."""

    name, value, dist = "birds", "bird_card:CARD", None

    def __init__(self, card):
        self.load = lambda: card


CARD = """
from apps.base.card import Card
CARD = Card("birds", "birds by their song", "a paper", "birds.Task", "birds.Data", ("classify",), "test/top1", "test/chance",
    recipes="configs.dcal")
"""


@pytest.fixture
def package(tmp_path):
    """An installed distribution whose card's code is given."""

    def write(code):
        (tmp_path / "site" / "bird_songs-1.0.dist-info").mkdir(parents=True)
        (tmp_path / "site" / "bird_songs-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: bird-songs\nVersion: 1.0\n")
        (tmp_path / "site" / "bird_songs-1.0.dist-info" / "entry_points.txt").write_text("[discern.apps]\nbirds = bird_card:CARD\n")
        (tmp_path / "site" / "bird_card.py").write_text(code)
        return {"PYTHONPATH": f"{ROOT}:{tmp_path / 'site'}"}

    return write


def test_card_of_an_installed_package_is_listed(package, tmp_path):
    done = discern("--help", home=tmp_path, **package(CARD))
    assert "birds by their song" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("code", ["import no_such_module", "1 / 0", "def (", "CARD = 7", ""])
def test_card_that_fails_to_load_is_left_out_and_named_in_one_line(package, tmp_path, code):
    done = discern("--help", home=tmp_path, **package(code))
    assert "dcal" in done.stdout
    assert "birds" not in done.stdout
    assert "'birds' of bird-songs is left out" in one_line(done)


def test_card_that_fails_is_named_where_it_matters_and_nowhere_else(package, tmp_path):
    broken = package("1 / 0")
    assert discern("runs", "list", "--json", home=tmp_path, **broken).stderr == ""
    assert "'birds' of bird-songs is left out: ZeroDivisionError" in one_line(discern("apps", home=tmp_path, **broken))
    assert "bird-songs is left out" in one_line(discern("birds", "fit", home=tmp_path, check=False, **broken))
    said = json.loads(discern("doctor", "--json", home=tmp_path, check=False, **broken).stdout)
    assert any("bird-songs is left out" in trouble for trouble in said["troubles"])


GOOD = Card("birds", "birds by their song", "a paper", "birds.Task", "birds.Data", ("classify",), "m", "b", recipes="configs.dcal")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "runs"}, "'runs' is a word of discern already"),
        ({"name": "help"}, "'help' is a word of discern already"),
        ({"name": "dcal"}, "'dcal' is a word of discern already"),
        ({"name": "Two birds"}, "no word for a command"),
        ({"name": 7}, "its name is of another type"),
        ({"verbs": None}, "its verbs is of another type"),
        ({"verbs": ("sing",)}, "'sing' is no Verb"),
        ({"verbs": (Verb("sing", "help", "birds.sing"),)}, "'birds.sing' of its verb 'sing' is not written module:function"),
        ({"verbs": (Verb("fit", "help", "birds:fit"),)}, "every application has a verb 'fit' already"),
        ({"programs": ()}, "it names no program"),
        ({"requires": ("torch",)}, "pairs (import name, extra), not torch"),
        ({"reader": "birds.read"}, "its reader 'birds.read' is not written"),
        ({"recipes": ""}, "its recipes lie in 'configs.birds', which is not there"),
        ({"recipes": "birds.no.recipes"}, "which is not there"),
        ({"recipes": "apps.base"}, "no embedded.yaml"),
        ({"layouts": "no_birds.layouts"}, "its layouts 'no_birds.layouts' are not there"),
    ],
)
def test_card_that_would_break_a_word_is_left_out(monkeypatch, change, why):
    card = replace(GOOD, **change)
    monkeypatch.setattr(outside, "entry_points", lambda group: [FakePoint(card)])
    assert set(find_cards()) == set(APPS)
    assert find_cards()["dcal"].task.startswith("apps.dcal")
    (line,) = left_out()
    assert "app 'birds' of an unknown distribution is left out" in line
    assert why in line
    assert len(line.splitlines()) == 1


def test_the_second_card_of_a_name_is_left_out(monkeypatch):
    monkeypatch.setattr(outside, "entry_points", lambda group: [FakePoint(GOOD), FakePoint(replace(GOOD, help="other birds"))])
    assert find_cards()["birds"] is GOOD
    assert "another package brings an application 'birds'" in left_out()[0]


def test_a_required_module_below_a_package_that_is_not_there_is_missing(monkeypatch, tmp_path, capsys):
    card = replace(GOOD, requires=(("no_such_package.songs", "songs"), ("json.decoder", "json")))
    monkeypatch.setattr(outside, "entry_points", lambda group: [FakePoint(card)])
    assert card.missing_extras() == ["songs"]
    assert dispatch(Shell(tmp_path), ["apps"]) == 0
    assert "discern[songs]" in capsys.readouterr().out


def test_layouts_that_fail_take_no_data_check_away(monkeypatch, tmp_path, capsys):
    (tmp_path / "bird_layouts.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(outside, "entry_points", lambda group: [FakePoint(replace(GOOD, layouts="bird_layouts"))])
    (tmp_path / "round.csv").write_text("id,x,y\n0,0,0\n1,3,4\n2,6,0\n")
    assert dispatch(Shell(tmp_path), ["data", "check", str(tmp_path / "round.csv")]) == 0
    assert "birds: its layouts fail (ZeroDivisionError" in capsys.readouterr().err
