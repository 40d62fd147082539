"""The table of the embedded set measures the recipes that are shipped, and no others."""

from typing import Any

import pytest

from apps.base.card import find_cards
from apps.base.compose import config_arguments
from apps.base.quiet import quiet_lightning
from apps.base.recipe import Recipe
from benchmarks.hag.embedded import EPOCHS, ROWS
from benchmarks.hag.fitting import CLIP


def told(task: Any, data: Any) -> dict[str, Any]:
    """What either of them was given."""
    names = ("trunk", "trunk_options", "streams", "gates", "head", "loss", "routing", "optim")
    kept = ("size", "each", "sizes", "knobs", "depth", "gates", "batch_size", "frames_per_polyp", "seed", "pictures_seed", "planes")
    asked = {f"model.{name}": getattr(task, name) for name in names} | {f"data.{name}": getattr(data, name) for name in kept}
    return asked | {f"augment.{name}": value for name, value in vars(data.augment).items()}


@pytest.mark.parametrize(("recipe", "row"), [("embedded", "val"), ("planes", "planes, val")])
def test_the_row_of_a_recipe_is_that_recipe(recipe: str, row: str) -> None:
    card = find_cards()["hag"]
    with quiet_lightning():
        shipped = Recipe(card, config_arguments(card, [recipe], None), [], [], prog="discern")
    assert told(ROWS[row].task(), ROWS[row].data(0, smoke=False)) == told(shipped.model, shipped.datamodule)
    trainer = shipped.config.trainer
    assert (trainer.max_epochs, trainer.gradient_clip_val, trainer.precision) == (EPOCHS, CLIP, "bf16-mixed")
    assert shipped.config.channels_last
