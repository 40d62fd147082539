"""Lightning's metrics go into a run. Hyper-parameters do not: the resolved config is the truth."""

import sys
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from apps.base.tracking.run import Run

__all__ = ["RunLogger"]


class RunLogger(Logger):
    """`Trainer(logger=RunLogger(run))`. Writes from the first process only."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    @property
    def name(self) -> str:
        return self.run.app

    @property
    def version(self) -> str:
        return self.run.id

    @property
    def save_dir(self) -> str:
        return str(self.run.folder)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = {key: value for key, value in metrics.items() if key != "epoch"}  # the step says it
        if values:
            self.run.metric(values, step or 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing to do; Lightning calls it."""

    def save(self) -> None:
        """Lightning calls this at every logged step; the run flushes by itself every few seconds."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """The end of a stage. Only the process that trains the run may end it, and what a command has said before stands."""
        if self.run.mine and self.run.state == "running":
            stopped = status == "failed" and not isinstance(sys.exception(), Exception | None)  # Ctrl-C and signals are no Exceptions
            self.run.status("interrupted" if stopped else "failed" if status == "failed" else "finished")
        self.run.flush()
