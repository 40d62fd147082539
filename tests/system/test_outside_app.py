"""An application of another package goes the whole way: its card is found by its entry point, its recipes lie in its own folder."""

import json
import sys
from pathlib import Path

import pytest

from tests.system.command import ROOT, Here


@pytest.fixture
def moons(tmp_path, monkeypatch, here: Here):
    """The command where the package is installed."""
    about = tmp_path / "site" / "toy_moons-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-moons\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[discern.apps]\nmoons = toy_moons.card:CARD\n")
    for place in (about.parent, Path(__file__).parent / "outside"):
        monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{about.parent}:{Path(__file__).parent / 'outside'}")
    yield here
    for name in [name for name in sys.modules if name.startswith("toy_moons")]:
        del sys.modules[name]


@pytest.mark.full  # a fresh interpreter checks the file: 20 s
def test_a_package_from_elsewhere_is_trained_tested_exported_and_asked(moons, tmp_path):
    assert "which of two moons" in moons("apps").stdout
    assert moons("moons", "fit", "--trainer.accelerator=cpu").returncode == 0
    tested = json.loads(moons("moons", "test").stdout)
    assert tested["test/accuracy"] > tested["test/chance"]
    said = moons("moons", "export", "-o", "moons.ts")
    assert said.returncode == 0, said.stderr

    from toy_moons.data import write_examples

    one = write_examples(tmp_path, 1)[0]
    said = moons("predict", "moons.ts", one)
    assert json.loads(said.stdout)["probs"][0]["label"] in ("upper", "lower")


def test_its_verbs_recipes_and_layouts_are_found(moons, tmp_path):
    assert moons("moons", "count").stdout == "400\n"
    assert moons("moons", "count", "--help").stdout.endswith("example:\n  discern moons count\n")
    help_text = moons("moons", "fit", "--help").stdout
    assert "a recipe (embedded)" in " ".join(help_text.split())
    assert "Units between a point and its answer" in help_text
    assert "no moons here" in moons("data", "check", tmp_path).line
