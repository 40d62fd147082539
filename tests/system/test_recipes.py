"""Composition: what a recipe comes to is pinned down, key by key. After a meant change: `python -m tests.system.test_recipes`."""

import contextlib
import io
from pathlib import Path

import pytest
import yaml

from apps.base.card import find_cards
from apps.base.compose import config_arguments, recipes
from apps.base.quiet import quiet_lightning
from apps.base.recipe import Recipe
from tests.system.command import Here

GOLDEN = Path(__file__).parent / "golden"
NAMES = [(app, name) for app, card in find_cards().items() for name in recipes(card)]


@pytest.mark.parametrize(("app", "name"), NAMES)
def test_a_recipe_comes_to_what_it_came_to(here: Here, app, name):
    assert yaml.safe_load(here(app, "fit", "--config", name, "--print_config").stdout) == yaml.safe_load(
        (GOLDEN / f"{app}-{name}.yaml").read_text()
    )


@pytest.mark.parametrize(("app", "name"), NAMES)
def test_a_recipe_can_be_built(app, name):
    """--print_config asks no class whether its arguments go together."""
    card = find_cards()[app]
    init = yaml.safe_load((GOLDEN / f"{app}-{name}.yaml").read_text())["data"]["init_args"]
    words = [*config_arguments(card, [name], None), *(["--data.path=somewhere"] if "path" in init else [])]
    with quiet_lightning():
        recipe = Recipe(card, words, [], [], prog="discern")
    assert recipe.model.app == app


def test_without_a_config_the_embedded_recipe_is_taken(here: Here):
    plain = here("dcal", "fit", "--print_config").stdout
    assert yaml.safe_load(plain) == yaml.safe_load((GOLDEN / "dcal-embedded.yaml").read_text())


def test_options_come_after_configs_and_lists_replace(tmp_path, here: Here):
    (tmp_path / "a.yaml").write_text("model:\n  init_args:\n    optim:\n      betas: [0.5, 0.6]\n      lr: 0.5\n")
    text = here("dcal", "fit", "--model.optim.lr=0.25", "--config", "embedded", "--config", "a.yaml", "--print_config").stdout
    optim = yaml.safe_load(text)["model"]["init_args"]["optim"]
    assert optim["lr"] == 0.25
    assert optim["betas"] == [0.5, 0.6]


def test_a_changed_class_drops_the_old_classes_arguments(tmp_path, here: Here):
    (tmp_path / "a.yaml").write_text("data:\n  class_path: datamodules.dcal.datamodule.Pictures\n  init_args:\n    path: x\n")
    text = here("dcal", "fit", "--config", "embedded", "--config", "a.yaml", "--print_config").stdout
    data = yaml.safe_load(text)["data"]
    assert data["class_path"].endswith("Pictures")
    assert "decoys" not in data["init_args"]


def test_null_may_be_said_of_a_nested_key(here: Here):
    text = here("hag", "fit", "--model.routing.clip_g=null", "--print_config").stdout
    assert yaml.safe_load(text)["model"]["init_args"]["routing"]["clip_g"] is None


if __name__ == "__main__":
    import tempfile

    from apps.cli import main

    GOLDEN.mkdir(exist_ok=True)
    for app, name in NAMES:
        with tempfile.TemporaryDirectory() as home, contextlib.redirect_stdout(io.StringIO()) as said:
            main(["--home", home, app, "fit", "--config", name, "--print_config"])
        (GOLDEN / f"{app}-{name}.yaml").write_text(said.getvalue())
