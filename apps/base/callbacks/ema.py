"""Exponential moving average of the weights, used for validation, test and export."""

from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

__all__ = ["Ema"]


class Ema(Callback):
    """Keeps the averaged weights on the task (`task.shadow`, saved with it) and evaluates with them; decay 0 switches it off.

    Args:
        decay: Share of the old average kept at each optimiser step; 0.999 averages over about a thousand steps.
    """

    def __init__(self, decay: float = 0.0) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema.decay must be in [0, 1), not {decay}")
        self.decay = decay
        self._step = -1
        self._live: dict[str, torch.Tensor] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._step = trainer.global_step
        if not self.decay:
            return
        if pl_module.shadow is not None:
            pl_module.shadow = {name: value.to(pl_module.device) for name, value in pl_module.shadow.items()}
        else:
            pl_module.shadow = {name: value.detach().clone() for name, value in pl_module.model.state_dict().items()}

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        if not self.decay or trainer.global_step == self._step:  # between optimiser steps nothing has moved
            return
        self._step = trainer.global_step
        shadow = pl_module.shadow
        live = pl_module.model.state_dict()
        moving = [name for name, value in live.items() if value.is_floating_point()]
        old, new = [shadow[name] for name in moving], [live[name] for name in moving]
        torch._foreach_lerp_(old, new, 1 - self.decay)  # pyright: ignore[reportPrivateImportUsage] - one call, not one a weight
        for name in live.keys() - set(moving):
            shadow[name].copy_(live[name])

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self.decay and pl_module.shadow is not None and trainer.state.fn == "fit":
            model = pl_module.model
            self._live = {name: value.detach().clone() for name, value in model.state_dict().items()}
            model.load_state_dict(pl_module.shadow)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        if self._live is not None:
            pl_module.model.load_state_dict(self._live)
            self._live = None
