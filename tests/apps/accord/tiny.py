"""Trainings of a second."""

import logging
import warnings
from typing import Any

import pytorch_lightning
import torch

from apps.accord.options import Net
from apps.accord.task import Deciding
from apps.base.optim import Optim
from datamodules.accord.datamodule import Problems

__all__ = ["SMALL", "WORDS", "made", "ready", "trainer"]

SMALL: dict[str, Any] = {"batch_size": 4, "train": 8, "val": 3, "test": 3}
SIZES = {"tsp": "6", "cvrp": "6", "binpack": "6"}
NET = {"dim": 16, "layers": 1, "heads": 2, "ffn": 16}

WORDS = (  # the same for the command
    "--model.net.dim=16", "--model.net.layers=1", "--model.net.heads=2", "--model.net.ffn=16",
    "--model.stages.joint=0.5", "--model.stages.improve=0.25", "--model.stages.samples=2",
    "--data.batch_size=4", "--data.train=8", "--data.val=3", "--data.test=3",
)  # fmt: skip


def made(**options: Any) -> Problems:
    sizes = {kind: size for kind, size in SIZES.items() if kind in options.get("kinds", SIZES)}
    data = Problems(**{**SMALL, "sizes": sizes, **options})
    data.setup()
    return data


def ready(data: Problems, net: dict[str, Any] | None = None, **options: Any) -> Deciding:
    """A task built for this data; the same options give the same weights."""
    torch.manual_seed(0)
    task = Deciding(net=Net(**{**NET, **(net or {})}), optim=Optim(lr=1e-2, warmup=0.0), **options)
    task.build(task.gather(data))
    return task


def trainer(epochs: int = 1, **options: Any) -> pytorch_lightning.Trainer:
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return pytorch_lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
