"""`fit --seeds N`: trainings that differ in the seed alone, as child runs of one; the parent keeps the best one's checkpoint."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from apps.base.beginning import Beginning
from apps.base.engine import engine_of
from apps.base.errors import UserError
from apps.base.family.best import offer, spread_of
from apps.base.family.child import children_of
from apps.base.family.parent import parent_run, preload, train_children
from apps.base.report import write_report
from apps.base.shell import Shell
from apps.base.tracking.run import Run
from apps.base.tracking.tracked import tracked
from datamodules.whole import write_whole

__all__ = ["train_seeds"]

COUNT = "seeds.json"  # how many, in the parent's folder


@dataclass(frozen=True)
class Seed:
    seed: int

    @property
    def label(self) -> str:
        return f"seed{self.seed}"

    @property
    def keys(self) -> tuple[str, ...]:
        return (f"--seed_everything={self.seed}",)


def train_seeds(shell: Shell, beginning: Beginning, name: str, each: Callable[[Run], None] | None = None) -> dict[str, Any]:
    """The parent's run and the spread of the scores. With the name of an earlier call what is finished stays; seeds may be added.

    each: is given every child while it still has its own checkpoints; after a call that was broken off perhaps once more without
    """
    words, card = beginning.words, beginning.card
    if words.ckpt or words.init:
        raise UserError("--seeds trains from scratch; it does not go with --ckpt or --init")
    recipe = beginning.recipe(None, [])
    if recipe.trainer.world_size > 1:
        raise UserError("--seeds trains each seed on one device; leave out trainer.devices")
    alone = words.engine == "local" and words.jobs in (None, 1)
    threads = words.threads or (torch.get_num_threads() if alone else 1)
    engine = engine_of(words.engine, words.jobs, words.ray_address, 1, threads, preload(card))
    first = int(recipe.config["seed_everything"])
    pieces = [Seed(first + i) for i in range(words.seeds)]
    data = recipe.set_up("fit")
    parent, _ = parent_run(shell, card, recipe.text, name, "fit", data, words.no_diff, words.hash, partial(_no_fewer, count=words.seeds))
    with write_whole(parent.folder / COUNT, "w") as file:
        json.dump(words.seeds, file)
    with tracked(shell, parent):
        shell.say(f"{card.name}: seeds {name} ({parent.id}), {len(pieces)} trainings")

        def take(child: Run) -> None:
            if each is not None:
                each(child)
            offer(parent, child)

        train_children(shell, card, words, parent, pieces, "seed", engine, False, take)
        children = children_of(parent)
        values = spread_of([children[f"{name}-{piece.label}"] for piece in pieces])
        parent.metric(values, step=0)
        parent.status("finished")
        write_report(parent)
    return {"run": parent.id, **values}


def _no_fewer(parent: Run, count: int) -> None:
    """The best of five is not the best of three; and a run that was trained itself has no seeds to go on with."""
    path = parent.folder / COUNT
    if not path.exists():
        raise UserError(f"--name {parent.name}: that run is no run of seeds; take another name")
    if (known := json.loads(path.read_text())) > count:
        raise UserError(f"--name {parent.name}: that run has {known} seeds; give --seeds {known} or more, or take another name")
