"""Tells the training loader how many batches are finished: the position that a resume starts from."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["Position"]


class Position(Callback):
    """What workers have prefetched does not count; what the trainer has finished does."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        loader = trainer.train_dataloader
        if loader is not None and hasattr(loader, "order"):
            loader.order.finished = batch_idx + 1
