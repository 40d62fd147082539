"""How far training is: a bar with rate and time left on a terminal, a line every 30 s elsewhere."""

import sys
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["Progress"]

EVERY_S = 30.0
REDRAW_S = 0.2
WIDTH = 24


class Progress(Callback):
    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._start = self._drawn = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start = self._drawn = time.monotonic()
        self._first_step = trainer.global_step
        sys.stderr.write(f"training from step {self._first_step} to {trainer.estimated_stepping_batches}\n")
        sys.stderr.flush()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.monotonic()
        if now - self._drawn >= (REDRAW_S if self._terminal else EVERY_S):
            self._drawn = now
            self._draw(trainer, now)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self._terminal:
            self._draw(trainer, time.monotonic())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, time.monotonic())
        if self._terminal:
            sys.stderr.write("\n")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._terminal and self._drawn > self._start:
            sys.stderr.write("\n")

    def _draw(self, trainer: Trainer, now: float) -> None:
        step, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        rate = (step - self._first_step) / max(now - self._start, 1e-9)
        left = (total - step) / rate if rate > 0 and total > 0 else 0.0
        shown = {k: float(v) for k, v in trainer.callback_metrics.items() if k == "train/loss" or k.startswith("val/")}
        values = "  ".join(f"{key} {value:.4g}" for key, value in list(shown.items())[:4])
        epochs = trainer.max_epochs or 1
        epoch = f"epoch {min(trainer.current_epoch + 1, epochs)}/{epochs}  " if epochs > 0 else ""  # -1: counted in steps alone
        head = f"{epoch}step {step}/{total}  {rate:.1f}/s  {_clock(left)} left  {values}"
        if self._terminal:
            done = int(WIDTH * step / total) if total > 0 else 0
            sys.stderr.write(f"\r\x1b[K[{'#' * done}{'.' * (WIDTH - done)}] {head}")
        else:
            sys.stderr.write(head + "\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
