"""A run's model with its gates: what `gates`, `fold` and `prune` begin with."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from apps.base.beginning import Beginning, begin_at
from apps.base.errors import UserError
from apps.base.recipe import Recipe
from apps.base.shell import Parser, Shell
from apps.hag.card import CARD
from apps.hag.model import SCALE
from apps.hag.task import Sizing
from core_attention.gates import GateSet
from datamodules.whole import write_bytes

__all__ = ["Opened", "add_run_and_checkpoint", "open_run", "write_weights"]

BATCH = 2  # items of an example


@dataclass
class Opened:
    beginning: Beginning
    recipe: Recipe
    task: Sizing
    gates: GateSet

    def example(self, batch: int = BATCH) -> dict[str, Tensor]:
        """Random pictures, planes and crop numbers, as the model takes them."""
        facts, draw = self.task.facts, torch.Generator().manual_seed(0)
        side = int(facts["framing"]["size"])
        given = {"images_BCHW": torch.randn(batch, 3, side, side, generator=draw)}
        if facts["planes"]:
            given["planes_BPHW"] = torch.rand(batch, len(facts["planes"]), side, side, generator=draw)
        if self.task.model.scale is not None:
            given["scale_B4"] = torch.randn(batch, SCALE, generator=draw)
        return given

    def validation(self, batches: int) -> Iterator[tuple[Any, ...]]:
        """What the model takes of the first validation batches."""
        data = self.recipe.set_up("validate")
        self.task.check_data(data)
        for batch in islice(data.val_dataloader(), batches):
            yield self.task.inputs(batch)


def add_run_and_checkpoint(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help="ID or name of a run (default: the newest)")
    parser.add_argument("--ckpt", metavar="best|last|FILE", default="best", help="which of its checkpoints, or a file (default: best)")


def open_run(shell: Shell, args: Any) -> Opened:
    beginning = begin_at(shell, CARD, "validate", args.ckpt, args.run)
    recipe, task, _ = beginning.restore()
    assert isinstance(task, Sizing)
    if not task.gates.sites:
        raise UserError("this run has no gates: its recipe's model.gates.sites is empty")
    task.model.where = None  # of training alone
    return Opened(beginning, recipe, task, GateSet(task.model))


def write_weights(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save

    write_bytes(path, save({name: value.contiguous() for name, value in model.state_dict().items()}))
