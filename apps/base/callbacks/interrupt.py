"""Ctrl-C and SIGTERM: the first finishes the step, saves and leaves; the second is immediate."""

import os
import signal
from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.presses import Presses

__all__ = ["Interrupt", "Interrupted"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Raised at an optimiser step's end after `last` was saved. Not an Exception: nothing in between may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


class Interrupt(Callback):
    """At the last batch of an epoch the validation that belongs to it is finished first: a resume never repeats or loses one."""

    def __init__(self, checkpoints: Checkpoints, say: Callable[[str], None]) -> None:
        self.checkpoints = checkpoints
        self.say = say
        self._signum = 0
        self._presses = Presses()
        self._before: dict[int, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning still wraps these in a handler of its own, whose flag ends a training between two hooks without saving: it stays down.
        trainer._signal_connector._sigterm_notifier_fn = lambda *_: None  # type: ignore[method-assign]
        self._before = {signum: signal.signal(signum, self._receive) for signum in SIGNALS}

    def _receive(self, signum: int, _: Any) -> None:
        if self._presses.again():
            self.say("leaving at once; the last checkpoint stands")
            os._exit(128 + signum)
        if self._signum:
            return
        self._signum = signum
        self.say("finishing this step, then saving and leaving; once more leaves at once")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self._asked(trainer) and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch and self.checkpoints.at_boundary(trainer):
            self._leave(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._asked(trainer):
            self._leave(trainer)

    def _asked(self, trainer: Trainer) -> bool:
        if trainer.world_size == 1:
            return bool(self._signum)
        return trainer.strategy.reduce_boolean_decision(bool(self._signum), all=False)  # all ranks leave at the same step

    def _leave(self, trainer: Trainer) -> None:
        self.checkpoints.save_last(trainer)
        raise Interrupted(self._signum or signal.SIGTERM)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}
