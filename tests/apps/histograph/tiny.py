"""Trainings of a second."""

from pathlib import Path
from typing import Any

import torch

__all__ = ["TINY", "last"]

TINY = (
    "--model.backbone.layers=2", "--model.backbone.width=8", "--trainer.max_epochs=1", "--trainer.accelerator=cpu",
    "--data.train=64", "--data.val=12", "--data.test=12",
)  # fmt: skip


def last(home: Path) -> dict[str, Any]:
    """The newest checkpoint of the only run there."""
    (path,) = home.glob("mlruns/runs/histograph/*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)
