"""One training of a sizer in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import time
from dataclasses import asdict, fields
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from apps.base.quiet import quiet_lightning, run_trainer
from apps.base.routing import RoutingOptions
from apps.hag.metrics import Answers, Gathered
from apps.hag.summaries import summed
from apps.hag.task import Sizing

__all__ = ["answered", "classified", "fit", "row_of"]

LATER = ("gate_warmup", "parity", "stop", "budgets", "times")
CLIP = 1.0  # as configs/defaults.yaml


def row_of(row: Any) -> dict[str, Any]:
    """A row as its kept runs tell it: without its title, and without options of the routing that it leaves alone and that came later."""
    told = {**asdict(row), "title": ""}
    for field in fields(row):
        if field.name in LATER and told[field.name] == field.default:
            del told[field.name]
    if told["routing"] is not None:
        usual = {field.name: field.default for field in fields(RoutingOptions)}
        left = [name for name in LATER if name in usual and told["routing"][name] == usual[name]]
        told["routing"] = {name: value for name, value in told["routing"].items() if name not in left}
    return told


def fit(task: Sizing, data: Any, epochs: int, seed: int, steps: int = -1, half: bool = False, stop: bool = False) -> float:
    """CPU seconds of the training, after which the task has the last epoch's weights: nothing is chosen.

    steps: end after so many. half: mixed precision and channels last, as a recipe may have it.
    stop: the weights of the best epoch on the split of the gates are taken.
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
    best = Best(data)
    trainer.callbacks += [best] if stop else []  # pyright: ignore[reportAttributeAccessIssue]
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    if best.weights:
        task.model.load_state_dict(best.weights)
    task.eval()
    return seconds


class Best(pl.Callback):
    """Keeps the weights of the epoch that errs least, in mm, on the polyps of the split for gates."""

    def __init__(self, data: Any) -> None:
        self.data, self.least = data, float("inf")
        self.weights: dict[str, torch.Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pl_module.eval()
        answers = answered(pl_module, DataLoader(self.data._set("gates"), batch_size=32))
        pl_module.train()
        error = float(summed(answers, "mm")["mae"])
        if error <= self.least:  # of equals the one that was trained longer
            self.least = error
            self.weights = {name: value.clone() for name, value in pl_module.model.state_dict().items()}


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
