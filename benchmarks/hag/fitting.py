"""One training of a sizer in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import time
from typing import Any

import pytorch_lightning as pl
import torch

from apps.base.quiet import quiet_lightning, run_trainer
from apps.hag.metrics import Answers, Gathered
from apps.hag.task import Sizing

__all__ = ["answered", "classified", "fit"]

CLIP = 1.0  # as configs/defaults.yaml


def fit(task: Sizing, data: Any, epochs: int, seed: int, steps: int = -1, half: bool = False) -> float:
    """CPU seconds of the training, after which the task has the last epoch's weights: nothing is chosen.

    steps: end after so many. half: mixed precision and channels last, as a recipe may have it.
    """
    data.say = lambda words: None
    data.setup("fit")
    pl.seed_everything(seed, workers=True, verbose=False)
    task.build(task.gather(data))
    if half:
        task.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", precision="bf16-mixed" if half else "32-true", max_epochs=epochs, max_steps=steps,
            gradient_clip_val=CLIP, limit_val_batches=0, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        )  # fmt: skip
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    task.eval()
    return seconds


@torch.no_grad()
def answered(task: Sizing, loader: Any) -> Answers:
    """Every frame of a loader, answered."""
    gathered = Gathered()
    for batch in loader:
        outputs = task.model(*task.inputs(batch))
        sure = (None, None) if outputs.ordinal is None else outputs.ordinal.sigmoid().unbind(1)
        gathered.update(batch["id"], batch["polyp"], batch["mm"], batch["has_mm"], batch["censored"], outputs.mm, *sure)
    return gathered.answers()[0]


@torch.no_grad()
def classified(task: Sizing, loader: Any) -> tuple[list[int], list[int]]:
    """(given, true) class of every frame."""
    given: list[int] = []
    true: list[int] = []
    for batch in loader:
        given += task.model(*task.inputs(batch)).logits.argmax(1).tolist()
        true += batch["label"].tolist()
    return given, true
