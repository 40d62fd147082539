"""What `fit --help` says of a recipe's keys: the application's own first, then the trainer's."""

import contextlib
import io

import yaml

from apps.base.card import Card
from apps.base.compose import recipe_path
from apps.base.recipe import Recipe

__all__ = ["recipe_help"]

LEFT_OUT = ("usage:", "--model.help", "--data.help", "Linked arguments")  # the classes' own keys stand above


def recipe_help(card: Card, names: list[str], allow: list[str]) -> str:
    """The keys of the classes that these recipes name (none: the embedded one), with their defaults; jsonargparse's words."""
    classes = {"model": card.task, "data": card.data}
    for name in names or ["embedded"]:
        recipe = yaml.safe_load(recipe_path(card, name).read_text()) or {}
        classes |= {key: recipe[key]["class_path"] for key in classes if "class_path" in recipe.get(key, {})}
    parts = []
    for key, path in classes.items():
        _, _, *keys = _printed(card, allow, f"--{key}.help={path}").strip().split("\n\n")  # after its usage and title
        parts += [f"keys of {path}", *keys]
    sections = [part for part in _printed(card, allow, "--help").split("\n\n") if not any(mark in part for mark in LEFT_OUT)]
    return "\n\n".join([*parts, "keys of every recipe", *sections])


def _printed(card: Card, allow: list[str], word: str) -> str:
    into = io.StringIO()
    with contextlib.redirect_stdout(into), contextlib.suppress(SystemExit):
        Recipe(card, [word], allow, [], prog="")
    return into.getvalue()
