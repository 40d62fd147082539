"""The points of a sweep: every combination of the values that its keys take, for every seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from apps.base.errors import UserError

__all__ = ["Point", "points", "read_axis"]

Axis = tuple[str, tuple[str, ...]]  # key, values


@dataclass(frozen=True)
class Point:
    """One child: where it lies on each axis, and its seed."""

    place: tuple[tuple[str, str], ...]  # (key, value)
    seed: int

    @property
    def label(self) -> str:
        """
        >>> Point((("model.optim.lr", "1e-3"),), 0).label
        'model.optim.lr=1e-3-seed0'
        """
        return f"{self.where}-seed{self.seed}"

    @property
    def where(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.place)

    @property
    def keys(self) -> tuple[str, ...]:
        return (*(f"--{key}={value}" for key, value in self.place), f"--seed_everything={self.seed}")


def read_axis(text: str) -> Axis:
    """
    >>> read_axis("model.optim.betas=[0.9,0.99],[0.8,0.9]")
    ('model.optim.betas', ('[0.9,0.99]', '[0.8,0.9]'))
    """
    key, equals, values = text.partition("=")
    key = key.removeprefix("--")
    found = _split(values)
    if not key or not equals or not all(found):
        raise UserError(f"--over {text}: a key and its values, as --over model.optim.lr=1e-3,3e-4")
    if key == "seed_everything":
        raise UserError("--over seed_everything: that is --seeds")
    if len(set(found)) < len(found):
        raise UserError(f"--over {text}: a value stands twice")
    return key, found


def points(axes: Sequence[Axis], first_seed: int, seeds: int) -> list[Point]:
    """The last axis runs fastest, then the seeds."""
    keys = [key for key, _ in axes]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise UserError(f"--over {twice[0]}: stands twice; give all its values in one")
    places = product(*([(key, value) for value in values] for key, values in axes))
    return [Point(place, first_seed + i) for place in places for i in range(seeds)]


def _split(values: str) -> tuple[str, ...]:
    """At the commas outside brackets."""
    found, depth = [""], 0
    for letter in values:
        depth += (letter in "[{(") - (letter in ")}]")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return tuple(word.strip() for word in found)
