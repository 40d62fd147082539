"""The task: a thin LightningModule around a pure model. EMA, randomness, tracking, checkpoints and signals are callbacks."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MetricCollection

from apps.base.checkpoint import SCHEMA
from apps.base.errors import FailureError, UserError
from apps.base.optim import Optim, cosine_with_warmup
from apps.base.program import Program
from core_attention.trunks.load import LoadReport, load

__all__ = ["BaseTask", "Batch", "Stage"]

Batch = dict[str, Tensor]
Stage = Literal["val", "test"]  # what is evaluated, and the prefix of its metrics


class BaseTask(LightningModule):
    """What every application's task shares. A subclass says how to build its model, its losses and its metrics.

    The model is built by `build(facts)` once the data is known; the facts (class names, input size, ...) are plain values that
    travel in the checkpoint, so that a checkpoint can be exported where the data is not.
    """

    app: str  # the card's name
    programs: tuple[str, ...] = ()  # of the card's programs those that this task exports, the first by default; () means all
    binding: tuple[str, ...] = ()  # the facts that the data must share with a checkpoint that is measured on it
    model: Any  # the pure model, made by `build`

    def __init__(self, optim: Optim) -> None:
        super().__init__()
        self.optim = optim
        self.facts: dict[str, Any] = {}
        self.metrics = nn.ModuleDict()
        self.recipe = ""  # resolved, YAML: a checkpoint can be used where its run is not
        self.shadow: dict[str, Tensor] | None = None  # averaged weights, kept by the Ema callback
        self.warm: frozenset[str] = frozenset()  # names of the weights that --init has put into the model

    # --- what an application writes -------------------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        """Plain values of the datamodule that the model and the exported file need; an application adds its own."""
        return {"licence": data.licence}

    @abstractmethod
    def make_model(self, facts: dict[str, Any]) -> nn.Module:
        """The pure model for these facts."""

    @abstractmethod
    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        """Metrics updated by `measure`, from sums and counts, so that ddp needs no repeats."""

    @abstractmethod
    def losses(self, batch: Batch, outputs: Any) -> dict[str, Tensor]:
        """Named scalars; `total` of them is minimised, each is logged. In evaluation there may be none."""

    @abstractmethod
    def measure(self, metrics: MetricCollection, batch: Batch, outputs: Any, stage: Stage) -> None:
        """Update the metrics of this stage with one evaluation batch."""

    @abstractmethod
    def program(self, name: str, examples: Sequence[Any]) -> Program:
        """The exported program of this name, around this model in evaluation mode; `examples` are raw real items (maybe none)."""

    @abstractmethod
    def batch_size(self, batch: Batch) -> int: ...

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """What training minimises. Evaluation always logs the plain sum."""
        return torch.stack(list(losses.values())).sum()

    def observe(self, outputs: Any) -> dict[str, Tensor]:
        """Further values of a training step that are worth a curve, by name; asked for only when they are written."""
        return {}

    def layers(self) -> Sequence[Sequence[str]]:
        """Parameter-name prefixes from input to output, for layer-wise rates and freezing."""
        return ()

    def no_decay(self) -> Sequence[str]:
        """Names or prefixes of matrices that must not decay (positions, gates, loss weights)."""
        return ()

    def rates(self) -> dict[str, float]:
        """Factors on the learning rate of parameters with a name prefix."""
        return {}

    def take_weights(self, weights: Mapping[str, Tensor], path: Path) -> LoadReport:
        """Copy what fits of the --init file's weights into the model; `path` is the file, which may say more about them."""
        return load(self.model, weights, strict=False)

    def warm_started(self) -> None:
        """Called once after --init has put weights into the model: those named in `warm`."""

    def cold_started(self) -> None:
        """Called once before a training that starts from neither --init nor a checkpoint."""

    def baselines(self, data: Any) -> dict[str, float]:
        """Trivial answers to compare with, logged by `test` (chance, constant)."""
        return {}

    def answers(self, data: Any) -> list[dict[str, Any]]:
        """A row for each item that `test` looked at, in one order whatever the processes. It may hold names: it stays on this machine."""
        return []

    def figures(self, data: Any) -> dict[str, bytes]:
        """PNG pictures drawn after `test` on this data, by name."""
        return {}

    def run_figures(self, history: dict[str, list[tuple[int, float]]]) -> dict[str, bytes]:
        """The same from what the run logged in training: (step, value) by metric."""
        return {}

    # --- shared ----------------------------------------------------------------------------------------------------

    def build(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.model = self.make_model(facts)
        self.metrics = nn.ModuleDict({stage: self.make_metrics(facts).clone(prefix=f"{stage}/") for stage in ("val", "test")})

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        outputs = self.model(*self.inputs(batch))
        losses = self.losses(batch, outputs)
        loss = self.total(losses)
        if self._logs_now():  # what is not written need not be gathered: half a millisecond a step
            self._tell(batch, outputs, losses, loss)
        return loss

    def _tell(self, batch: Batch, outputs: Any, losses: dict[str, Tensor], loss: Tensor) -> None:
        """Log a training step."""
        if not torch.isfinite(loss):
            raise FailureError(f"the loss is {loss.item()} at step {self.trainer.global_step}; lower optim.lr, or look for broken labels")
        parts = losses if len(losses) > 1 else {}
        values = {f"train/{name}": value.detach() for name, value in {**parts, **self.observe(outputs)}.items()}
        self.log_dict({"train/loss": loss.detach(), **values}, batch_size=self.batch_size(batch))

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """The tensors that the model takes, out of a batch."""
        return (batch["image"],)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate("test", batch)

    def _evaluate(self, stage: Stage, batch: Batch) -> None:
        outputs = self.model(*self.inputs(batch))
        losses = self.losses(batch, outputs)
        size = self.batch_size(batch)
        if losses:
            values = {"loss": torch.stack(list(losses.values())).sum(), **(losses if len(losses) > 1 else {})}
            self.log_dict({f"{stage}/{name}": value for name, value in values.items()}, batch_size=size, on_epoch=True, sync_dist=True)
        metrics = cast(MetricCollection, self.metrics[stage])
        self.measure(metrics, batch, outputs, stage)
        self.log_dict(metrics, batch_size=size, on_epoch=True)  # type: ignore[arg-type]

    def configure_optimizers(self) -> Any:
        # Lightning does not clip the gradients of a fused optimiser under mixed precision.
        optimizer = self.optim.optimizer(
            self.model, self.layers(), self.no_decay(), self.rates(), fused="mixed" not in str(self.trainer.precision)
        )
        total = self.total_steps()

        def factor(step: int) -> float:
            return cosine_with_warmup(step, total, self.optim.warmup, self.optim.floor)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def total_steps(self) -> int:
        """Optimiser steps of the whole training. Not `trainer.estimated_stepping_batches`: that makes the loaders before a resume has
        put back their position, and the position is then lost."""
        trainer = self.trainer
        if trainer.max_epochs in (None, -1):
            if trainer.max_steps == -1:
                raise UserError(
                    "the schedule needs an end: set trainer.max_epochs or trainer.max_steps (trainer.max_time may come earlier)"
                )
            return trainer.max_steps
        batches = len(trainer.datamodule.train_dataloader())  # type: ignore[attr-defined]
        limit = trainer.limit_train_batches
        batches = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
        steps = math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs
        return steps if trainer.max_steps == -1 else min(steps, trainer.max_steps)

    def _logs_now(self) -> bool:
        """Lightning writes what is logged in this step."""
        return self.trainer._logger_connector.should_update_logs

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        if self._logs_now():
            self.log("train/lr", optimizer.param_groups[-1]["lr"])

    # --- what a checkpoint carries besides weights -------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["discern"] = {
            "schema": SCHEMA,
            "app": self.app,
            "recipe": self.recipe,
            "facts": self.facts,
            "shadow": self.shadow,
        }

    def check_data(self, data: Any) -> None:
        """A model whose classes or input size are others than the data's would be measured wrongly without a word."""
        found = self.gather(data)
        changed = [key for key in self.binding if found.get(key) != self.facts.get(key)]
        if changed:
            raise UserError(
                f"the data does not fit the checkpoint: {', '.join(changed)} differ; measure it on the data that it was trained for"
            )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        ours = checkpoint["discern"]
        changed = [key for key in self.binding if self.facts.get(key) != ours["facts"].get(key)]
        if changed:
            raise UserError(
                f"the checkpoint was trained on other data ({', '.join(changed)} differ); train anew, or start from it with --init"
            )
        self.facts = ours["facts"] | self.facts  # training may have added some, such as a threshold
        self.shadow = ours["shadow"]

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Of a training that is resumed."""
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            raise UserError(
                "the checkpoint's weights are of another model than the recipe's; leave out the options that change it, or start from it "
                "with --init"
            ) from error
