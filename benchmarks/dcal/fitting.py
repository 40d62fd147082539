"""One training of a dcal task in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import copy
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from apps.base.quiet import quiet_lightning, run_trainer
from apps.dcal.branch_task import BranchTask

__all__ = ["Chosen", "fit", "logits_of"]

CLIP = 1.0  # as configs/defaults.yaml


class Chosen(NamedTuple):
    """What validation chose."""

    epoch: int
    score: float
    note: dict[str, Any]  # of the score's function
    cpu_seconds: float  # of the whole training, validation included


def fit(
    task: BranchTask,
    data: pl.LightningDataModule,
    epochs: int,
    seed: int,
    score: Callable[[BranchTask], tuple[float, dict[str, Any]]] | None,
    steps: int = -1,
) -> Chosen:
    """Train, and leave the task with the weights of the epoch of the highest score; of equal epochs the later, which has learned longer.

    score: of validation, with what else it chose; None takes the last epoch
    steps: end after so many
    """
    data.setup("fit")
    pl.seed_everything(seed, workers=True, verbose=False)
    task.build(task.gather(data))
    best = _Best(score)
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs, max_steps=steps, gradient_clip_val=CLIP, limit_val_batches=0, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
            callbacks=[best] if score is not None else [],
        )  # fmt: skip
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    if best.weights is not None:
        task.model.load_state_dict(best.weights)
    task.eval()
    return Chosen(best.epoch, best.value, best.note, seconds)


class _Best(pl.Callback):
    """After each epoch a look at validation."""

    def __init__(self, score: Callable[[BranchTask], tuple[float, dict[str, Any]]] | None) -> None:
        self.score = score
        self.epoch, self.value, self.note = -1, float("-inf"), {}
        self.weights: dict[str, Tensor] | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        assert self.score is not None
        pl_module.eval()
        value, note = self.score(pl_module)
        pl_module.train()
        if value >= self.value:
            self.epoch, self.value, self.note = trainer.current_epoch, value, note
            self.weights = copy.deepcopy(pl_module.model.state_dict())


@torch.no_grad()
def logits_of(model: nn.Module, loader: Any, batches: int | None = None) -> tuple[dict[str, Tensor], Tensor]:
    """((M,N,K) by branch, labels (N,)) of a split, as `mix` and `fit_temperature` of the app take them."""
    found: dict[str, list[Tensor]] = {}
    labels = []
    for number, batch in enumerate(loader):
        if number == batches:
            break
        outputs = model(batch["image"])
        found.setdefault("sa", []).append(outputs.sa_logits[None])
        if outputs.glca_logits is not None:
            found.setdefault("glca", []).append(outputs.glca_logits)
        labels.append(batch["label"])
    return {name: torch.cat(parts, 1) for name, parts in found.items()}, torch.cat(labels)
