"""Rows of a long benchmark, each kept in a file as soon as it is there: what was broken off goes on with the next one."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from apps.base.interval import interval

__all__ = ["interval_cell", "kept", "spread", "there"]


def kept(folder: Path | None, name: str, recipe: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row from its file if the recipe is still the same, else made anew and kept; without a folder it is only made.

    The number of threads belongs to the recipe: it changes seconds, and sums in their last digits.
    """
    if folder is None:
        return make()
    recipe = json.loads(json.dumps({**recipe, "threads": torch.get_num_threads()}))  # tuples become lists, as in the file
    path = folder / f"{''.join(letter if letter.isalnum() else '_' for letter in name)}.json"
    if path.exists() and (row := json.loads(path.read_text()))["recipe"] == recipe:
        return row
    row = {**make(), "recipe": recipe}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=1) + "\n")
    return row


def there(folder: Path, name: str, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """The kept row, if it is made: nothing is trained."""

    class MissingError(Exception):
        pass

    def make() -> dict[str, Any]:
        raise MissingError

    try:
        return kept(folder, name, recipe, make)
    except MissingError:
        return None


def interval_cell(values: list[float], digits: int = 4) -> str:
    """Half of the 95 % interval of the mean, or a dash where one value gives none."""
    return f"{interval(values):.{digits}f}" if len(values) > 1 else "-"


def spread(name: str, values: list[float], digits: int = 4) -> dict[str, Any]:
    """Two cells: the mean under `name`, and half of its 95 % interval over the seeds."""
    return {name: round(statistics.mean(values), digits), f"{name}_ci95": interval_cell(values, digits)}
