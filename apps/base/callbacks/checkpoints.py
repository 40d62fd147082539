"""`last` every N steps, at epoch ends and on signals; the k best by a validation metric; a full disk keeps what is there."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from apps.base.errors import UserError
from apps.base.kept import LAST, RANKING
from datamodules.whole import write_whole

__all__ = ["LAST", "RANKING", "Checkpoints"]


class Checkpoints(Checkpoint):
    """Which checkpoints a run keeps.

    Args:
        monitor: Logged validation metric that ranks the best.
        mode: Whether the metric is to fall (min) or to rise (max).
        keep_best: How many of the best stay.
        every_n_steps: Optimiser steps between two saves of `last` (epoch ends and signals save it too).
    """

    def __init__(
        self, monitor: str = "val/loss", mode: Literal["min", "max"] = "min", keep_best: int = 1, every_n_steps: int = 200
    ) -> None:
        if keep_best < 1 or every_n_steps < 1:
            raise ValueError("checkpoints.keep_best and checkpoints.every_n_steps must be at least 1")
        self.monitor = monitor
        self.mode = mode
        self.keep_best = keep_best
        self.every_n_steps = every_n_steps
        self.folder = Path()
        self.say: Callable[[str], None] = lambda text: None
        self.dropped: Callable[[Path], None] = lambda path: None
        self.failed_save = False
        self._fresh = True
        self._saved_at = -1
        self._ranking: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"ranking": self._ranking}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._ranking = state_dict["ranking"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # All processes take part in saving, so all must decide alike whether to: the first, who knows the run's folder, decides.
        self.folder = Path(trainer.strategy.broadcast(str(self.folder)))
        self._fresh = trainer.strategy.broadcast(not (self.folder / LAST).exists())

    # --- when ----------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._estimate(trainer, pl_module)
        self._saved_at = trainer.global_step
        # A resume in another folder has none of the files that ranked.
        self._ranking = trainer.strategy.broadcast([row for row in self._ranking if (self.folder / row["file"]).exists()])
        if self._fresh:
            self.save_last(trainer)  # so that a run killed in its first steps can be resumed, too

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        # The last batch of an epoch waits for its validation: `on_train_epoch_end` saves then.
        due = trainer.global_step - self._saved_at >= self.every_n_steps
        if due and self.at_boundary(trainer) and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._rank(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save_last(trainer)

    def at_boundary(self, trainer: Trainer) -> bool:
        """Between two optimiser steps of an accumulation nothing may be saved: the gradients are not in the file."""
        return not trainer.fit_loop._should_accumulate()

    # --- what ----------------------------------------------------------------------------------------------------

    def save_last(self, trainer: Trainer) -> None:
        self._saved_at = trainer.global_step
        self._save(trainer, LAST, weights_only=False)

    def _rank(self, trainer: Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            known = ", ".join(sorted(key for key in trainer.callback_metrics if key.startswith("val/")))
            raise UserError(f"checkpoints.monitor={self.monitor!r} is not logged in validation; there is {known or 'nothing'}")
        row = {
            "file": f"best-{trainer.global_step:08d}.ckpt",
            "score": float(value),
            "step": trainer.global_step,
            "epoch": trainer.current_epoch,
        }
        if torch.isnan(value) or (len(self._ranking) >= self.keep_best and min([*self._ranking, row], key=self._order) is row):
            return
        if not self._save(trainer, row["file"], weights_only=True):
            return
        ranking = sorted([r for r in self._ranking if r["file"] != row["file"]] + [row], key=self._order, reverse=True)
        self._ranking, gone = ranking[: self.keep_best], ranking[self.keep_best :]
        if trainer.is_global_zero:
            try:
                with write_whole(self.folder / RANKING, "w") as file:
                    json.dump({"monitor": self.monitor, "mode": self.mode, "ranking": self._ranking}, file, indent=1)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self.say(f"the disk is full: {RANKING} was not written, the older one stands; make room")
                self._ranking += gone  # nothing is deleted that the older one names
                return
            for old in gone:
                (self.folder / old["file"]).unlink(missing_ok=True)
                self.dropped(self.folder / old["file"])

    def _order(self, row: dict[str, Any]) -> tuple[float, int]:
        """The better is greater; of equals (an accuracy of 1) the one that was trained longer."""
        return (row["score"] if self.mode == "max" else -row["score"], row["step"])

    def _save(self, trainer: Any, name: str, *, weights_only: bool) -> bool:
        trainer.save_checkpoint(self.folder / name, weights_only=weights_only)
        full = trainer.strategy.checkpoint_io.full
        self.failed_save = full if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(full, all=False)
        if self.failed_save:
            self.say(f"the disk is full: {name} was not saved at step {trainer.global_step}, the older one stands; make room")
        return not self.failed_save

    def _estimate(self, trainer: Trainer, task: LightningModule) -> None:
        """Adam keeps two more numbers a weight, EMA one; the replaced file lives until its heir is whole."""
        weights = sum(p.numel() * p.element_size() for p in task.parameters())
        need = weights * 3 * 2 + weights * (1 + (getattr(task, "shadow", None) is not None)) * (self.keep_best + 1)
        free = shutil.disk_usage(self.folder).free
        if need > free:
            self.say(f"checkpoints need about {need >> 20} MiB and {free >> 20} MiB are free in {self.folder}")
