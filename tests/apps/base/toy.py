"""The smallest task and datamodule that go through every shared room: three classes of noise, a dropout, a linear model."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MeanMetric, MetricCollection

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.callbacks.ema import Ema
from apps.base.callbacks.interrupt import Interrupt, Interrupted
from apps.base.callbacks.position import Position
from apps.base.callbacks.rng import Rng
from apps.base.checkpoint import WholeFiles
from apps.base.optim import Optim
from apps.base.task import BaseTask, Stage
from datamodules.order import Loader, Order, sample_rng

SIZE, BATCH, EPOCHS = 50, 10, 3


class Noise(Dataset):
    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, turn: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = turn
        values = sample_rng(0, epoch, index).normal(size=4).astype("float32")
        return {"image": torch.from_numpy(values), "label": torch.tensor(index % 3)}


class Fixed(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"image": torch.full((4,), index / 8), "label": torch.tensor(index % 3)}


class ToyData(LightningDataModule):
    def train_dataloader(self) -> Loader:
        return Loader(Noise(), Order(SIZE, BATCH, seed=0))

    def gate_dataloader(self) -> Loader:
        return Loader(Noise(), Order(30, BATCH, seed=1))

    def val_dataloader(self) -> DataLoader:
        return DataLoader(Fixed(), batch_size=4, generator=torch.Generator())


class ToyParts:
    app = "toy"
    binding = ("classes",)

    def gather(self, data: Any) -> dict[str, Any]:
        return {}

    def make_model(self, facts: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 3))

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"mean": MeanMetric()})

    def losses(self, batch: dict[str, Tensor], outputs: Tensor) -> dict[str, Tensor]:
        return {"ce": nn.functional.cross_entropy(outputs, batch["label"])}

    def measure(self, metrics: MetricCollection, batch: dict[str, Tensor], outputs: Tensor, stage: Stage) -> None:
        metrics.update(outputs.mean())

    def batch_size(self, batch: dict[str, Tensor]) -> int:
        return len(batch["label"])

    def program(self, name: str, examples: Any) -> Any:
        raise AssertionError("the toy is not exported")


class ToyTask(ToyParts, BaseTask):
    def __init__(self) -> None:
        super().__init__(Optim(lr=0.01))


class PulledPlugError(Exception):
    """The power cut: nothing after it is written."""


class Plug(Callback):
    """Pulls the plug at a step, in the hook that is named."""

    def __init__(self, step: int, hook: str) -> None:
        self.step, self.hook = step, hook

    def _maybe(self, trainer: Trainer, hook: str) -> None:
        if (trainer.global_step, hook) == (self.step, self.hook):
            raise PulledPlugError

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._maybe(trainer, "batch")

    def on_validation_start(self, trainer: Trainer, *_: Any) -> None:
        self._maybe(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        self._maybe(trainer, "epoch")


def checkpoints_in(folder: Path, **options: Any) -> Checkpoints:
    checkpoints = Checkpoints(**options)
    checkpoints.folder = folder
    return checkpoints


def train(
    folder: Path,
    *,
    resume: Path | None = None,
    plug: Callback | None = None,
    checkpoints: Checkpoints | None = None,
    interruptible: bool = False,
    every: int = 3,
    decay: float = 0.9,
    make: Callable[[], Any] | None = None,
    **trainer: Any,
) -> tuple[ToyTask, Trainer]:
    """Train the toy, maybe until the plug is pulled; the task and its trainer as they stand then."""
    seed_everything(0, verbose=False)
    task = (make or ToyTask)()
    task.build({})
    checkpoints = checkpoints or checkpoints_in(folder, every_n_steps=every)
    stop = [Interrupt(checkpoints, lambda text: None)] if interruptible else []
    trainer = {"gradient_clip_val": 1.0, **trainer}
    machine = Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, plugins=[WholeFiles()], use_distributed_sampler=False,
        callbacks=[Position(), Rng(), Ema(decay), *([plug] if plug else []), *stop, checkpoints],
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, **trainer,
    )  # fmt: skip
    with contextlib.suppress(PulledPlugError, Interrupted):
        machine.fit(task, datamodule=ToyData(), ckpt_path=resume, weights_only=True)
    return task, machine


def weights(task: ToyTask) -> Tensor:
    """All weights, trained and averaged, in one vector."""
    return torch.cat([value.flatten() for state in (task.model.state_dict(), task.shadow or {}) for value in state.values()])
