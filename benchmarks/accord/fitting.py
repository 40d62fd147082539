"""One training of the network in this process: the app's own task, datamodule and trainer loop, without a run to track it."""

import time
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
import torch

from apps.accord.options import Learn, Net, Stages
from apps.accord.solver import Solver
from apps.accord.task import Deciding
from apps.base.optim import Optim
from apps.base.quiet import quiet_lightning, run_trainer
from datamodules.accord.datamodule import Problems
from datamodules.accord.gaps import gap
from datamodules.accord.references import METHODS
from datamodules.accord.synth import SIZES, generate

__all__ = ["CLIP", "OPTIM", "Arm", "fit_and_test"]

CLIP = 1.0
SHOWN = 10_000  # seeds of problems that no training draws
OPTIM = Optim(lr=1e-3, weight_decay=0.01, warmup=0.05, floor=0.02, betas=(0.9, 0.98))  # as in configs/accord/embedded.yaml


@dataclass(frozen=True)
class Arm:
    """A row of a table: what differs from the defaults."""

    title: str
    kinds: tuple[str, ...]
    net: dict[str, Any] = field(default_factory=dict)
    learn: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)
    rule: bool = True  # the network begins as the kind's greedy rule; it presumes the masks

    def task(self) -> Deciding:
        return Deciding(Net(**self.net), Learn(**self.learn), Stages(**self.stages), optim=OPTIM)

    def recipe(self) -> dict[str, Any]:
        """Plain values, by which a kept row knows that it is still the same; rows are older than `rule`, and had it."""
        return {name: value for name, value in asdict(self).items() if name != "title" and (name != "rule" or not value)}


def fit_and_test(arm: Arm, steps: int, seed: int, test: int, train: int) -> dict[str, Any]:
    """What `test` says of the last step's weights (gaps in per cent, shares of one), the greedy rule, and the seconds of training."""
    data = Problems(
        64, seed=seed, kinds=arm.kinds, scale="smoke", smallest=0.75, curriculum=1.0, train=train, val=64, test=test  # type: ignore[arg-type]
    )  # fmt: skip
    task = arm.task()
    data.setup("fit")
    pl.seed_everything(seed, workers=True, verbose=False)
    task.build(task.gather(data))
    if not arm.rule:
        for _, parts in task.model.parts.items():
            torch.nn.init.zeros_(parts.weight)
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=-1, max_steps=steps, gradient_clip_val=CLIP, limit_val_batches=0,
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False,
        )  # fmt: skip
    start = time.process_time()
    run_trainer(trainer, "fit", task, datamodule=data)
    seconds = time.process_time() - start
    data.setup("test")
    (values,) = run_trainer(trainer, "test", task, datamodule=data, verbose=False)
    found = {name.removeprefix("test/"): float(value) for name, value in values.items()}
    drawn = {} if arm.learn.get("masked", True) else without_masks(task.model, arm.kinds, test, seed)
    return {**found, **task.baselines(data), **drawn, "cpu_seconds": seconds}


def without_masks(network: Any, kinds: tuple[str, ...], count: int, seed: int) -> dict[str, Any]:
    """By kind the share of problems of which one of 16 free samples is feasible, and the mean gap of those to the optimum."""
    found: dict[str, Any] = {}
    for kind in kinds:
        asked = generate(kind, count, SIZES["smoke"][kind], SHOWN + seed)
        values = [one.objective for one in Solver(network).solve(asked, "model", samples=16, masked=False, seed=seed)]
        pairs = [(one, value, METHODS[kind]["exact"](one).objective) for one, value in zip(asked, values, strict=True) if value is not None]
        over = [gap(one, value, best) for one, value, best in pairs if best is not None]
        found[f"best_of_16_{kind}"] = len(pairs) / count
        found[f"best_of_16_gap_{kind}"] = fmean(over) if over else None
    return found
