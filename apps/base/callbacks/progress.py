"""How far training, validation and test are."""

import math
import sys
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from apps.base.progress import Line

__all__ = ["Progress"]


class Progress(Callback):
    def __init__(self) -> None:
        self._training: Line | None = None
        self._measuring: Line | None = None
        self._measured = self._epoch = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step, total = trainer.global_step, trainer.estimated_stepping_batches
        sys.stderr.write(f"training from step {step}{f' to {total}' if 0 < total < math.inf else ''}\n")
        sys.stderr.flush()
        self._training, self._epoch = Line("step", total, first=step), trainer.current_epoch

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._epoch = trainer.current_epoch  # at the end of training it is the one after the last, however short that one was cut
        self._say(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._say(trainer, now=True)
        self._leave()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._leave()

    def _say(self, trainer: Trainer, now: bool = False) -> None:
        if self._training is None:
            return
        shown = {k: float(v) for k, v in trainer.callback_metrics.items() if k == "train/loss" or k.startswith("val/")}
        epochs = trainer.max_epochs or 1
        epoch = f"epoch {min(self._epoch + 1, epochs)}/{epochs}" if epochs > 0 else ""  # -1: counted in steps alone
        self._training.at(trainer.global_step, "  ".join(f"{key} {value:.4g}" for key, value in list(shown.items())[:4]), epoch, now)

    def _leave(self) -> None:
        for line in (self._measuring, self._training):
            if line is not None:
                line.leave()

    # --- measuring: by itself, and between epochs ------------------------------------------------------------------

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._begin("validation batch", trainer.num_val_batches)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin("test batch", trainer.num_test_batches)

    def on_validation_batch_end(self, *_: Any) -> None:
        self._count()

    def on_test_batch_end(self, *_: Any) -> None:
        self._count()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()
        if self._training is not None and self._training.bar and not trainer.sanity_checking:
            self._say(trainer, now=True)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def _begin(self, unit: str, batches: Any) -> None:
        total = sum(batches) if isinstance(batches, (list, tuple)) else batches
        self._measuring, self._measured = Line(unit, total), 0

    def _count(self) -> None:
        self._measured += 1
        if self._measuring is not None:
            self._measuring.at(self._measured)

    def _close(self) -> None:
        if self._measuring is not None:
            self._measuring.clear()
        self._measuring = None
