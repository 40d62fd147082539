"""What is trained: one recipe, whose children differ in fold, repeat and seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.base.beginning import Beginning
from apps.base.card import Card
from apps.base.compose import Words
from apps.base.errors import UserError
from apps.base.shell import Shell

__all__ = ["Cut", "Plan", "make_plan"]


class Cut(NamedTuple):
    """Which child. Cuts sort by repeat, fold and seed."""

    repeat: int | None  # None: the data knows no repeats
    fold: int
    seed: int

    @property
    def label(self) -> str:
        """
        >>> Cut(None, 3, 0).label
        'fold3-seed0'
        """
        return f"{'' if self.repeat is None else f'repeat{self.repeat}-'}fold{self.fold}-seed{self.seed}"

    @property
    def keys(self) -> tuple[str, ...]:
        """As keys of the recipe."""
        repeat = () if self.repeat is None else (f"--data.repeat={self.repeat}",)
        return (*repeat, f"--data.fold={self.fold}", f"--seed_everything={self.seed}")


@dataclass(frozen=True)
class Plan:
    text: str  # the recipe, resolved, with the first cut's keys
    cuts: tuple[Cut, ...]
    monitor: str
    mode: str
    chosen_on: str  # validation, or test
    mean_curve: bool  # one epoch for all folds, the best of their mean curve
    data: Any  # the datamodule of the first cut, set up


def make_plan(shell: Shell, card: Card, words: Words, folds: Sequence[int] | None, repeats: int | None, seeds: int) -> Plan:
    """Read the recipe and the data once, so that what is wrong with them is said before anything trains."""
    config = Beginning(card, "fit", words, shell.say).recipe(None, []).config
    asked = config["data"]["init_args"]
    if "fold" not in asked:
        name = config["data"]["class_path"].rpartition(".")[2]
        raise UserError(f"{name} has no folds to cross-validate; give data that has, as --config small --data.path=...")
    with_repeats = "repeat" in asked
    if repeats is not None and not with_repeats:
        raise UserError("--repeats: this data has one way to be cut into folds; leave it out")
    seed = int(config["seed_everything"])
    recipe = Beginning(card, "fit", words, shell.say).recipe(None, [], Cut(0 if with_repeats else None, 0, seed).keys)
    if recipe.trainer.world_size > 1:
        raise UserError("crossval trains each child on one device; leave out trainer.devices")
    data = recipe.set_up("fit")
    total = data.outer_folds or int(asked.get("folds") or 0)
    if not total:
        raise UserError(f"{asked.get('path', 'the data')}: comes with its own splits, so that there are no folds to cross-validate")
    chosen = list(range(total)) if folds is None else list(folds)
    if wrong := [fold for fold in chosen if not 0 <= fold < total]:
        raise UserError(f"--folds: fold {wrong[0]} is not there; this data has folds 0..{total - 1}")
    if repeats is not None and data.outer_repeats is not None and repeats > data.outer_repeats:
        raise UserError(f"--repeats {repeats}: this data brings {data.outer_repeats} ways to be cut into folds")
    turns: list[int | None] = list(range(repeats or 1)) if with_repeats else [None]
    cuts = tuple(Cut(repeat, fold, seed + i) for repeat in turns for fold in chosen for i in range(seeds))
    ranks = recipe.config["checkpoints"]
    return Plan(recipe.text, cuts, str(ranks["monitor"]), str(ranks["mode"]), data.chosen_on, data.mean_curve, data)
