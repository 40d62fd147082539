"""A package from elsewhere offers its card under an entry point; one that is broken takes nothing else away."""

import pytest

from tests.system.command import ROOT, discern, one_line

CARD = """
from apps.base.card import Card
CARD = Card("birds", "birds by their song", "a paper", "birds.Task", "birds.Data", ("classify",), "test/top1", "test/chance")
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


def test_card_that_fails_is_named_once_a_command(package, tmp_path):
    done = discern("dcal", "predict", "nowhere.ts", "a.png", home=tmp_path, check=False, **package("1 / 0"))
    assert done.stderr.count("bird-songs") == 1
