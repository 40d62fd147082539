"""What the base task and tracking cost over a bare loop of the same model, data, loss, clipping and optimiser.

    python -m benchmarks.loop.run [--rounds 5] [--out benchmarks/results/loop.json]

Four arms in turn, round after round: the bare loop, Lightning around the same step (three logged values, clipping),
our base task with all its callbacks, and that with tracking. Each figure is the median over all steps of an arm, each ratio the median
of the rounds' ratios.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.callbacks.ema import Ema
from apps.base.callbacks.interrupt import Interrupt
from apps.base.callbacks.position import Position
from apps.base.callbacks.progress import Progress
from apps.base.callbacks.rng import Rng
from apps.base.checkpoint import WholeFiles
from apps.base.optim import cosine_with_warmup
from apps.base.tracking.logger import RunLogger
from apps.base.tracking.run import Run
from apps.base.tracking.sender import Sender
from apps.dcal.task import Classification
from benchmarks.record import write
from datamodules.dcal.datamodule import Beetles

# name, width, depth, batch, steps: the first is so small that only the overhead counts, the second takes over 50 ms a step.
# About ten seconds an arm, so that the median is of training, not of the two seconds in which the sender's thread imports its client.
SIZES = (("tiny", 16, 1, 16, 1000), ("micro", 64, 4, 64, 90))
SKIPPED = 5  # first steps of every arm: allocations, thread pools


class Clock(Callback):
    """The time from one finished batch to the next: everything that a step costs, loading included."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def on_train_batch_end(self, *_) -> None:
        self.ticks.append(time.perf_counter())


def task_for(width: int, depth: int, data: Beetles) -> Classification:
    seed_everything(0, verbose=False)
    task = Classification(trunk_options={"width": width, "depth": depth, "heads": 4})
    task.build(task.gather(data))
    return task


def bare(width: int, depth: int, data: Beetles, steps: int) -> list[float]:
    task = task_for(width, depth, data)
    model = task.model.train()
    optimizer = task.optim.optimizer(model, task.layers(), task.no_decay())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, steps, 0.1, 0.0))
    ticks = []
    loader = data.train_dataloader()
    while len(ticks) < steps:
        for batch in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(batch["image"]).sa_logits, batch["label"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            ticks.append(time.perf_counter())
            if len(ticks) == steps:
                break
    return ticks


class PlainModule(LightningModule):
    """The least that Lightning can be asked for."""

    def __init__(self, task: Classification, steps: int) -> None:
        super().__init__()
        self.task, self.steps = task, steps

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self.task.model(batch["image"]).sa_logits, batch["label"])
        self.log_dict({"loss": loss, "a": 1.0, "b": 2.0}, batch_size=len(batch["label"]))
        return loss

    def configure_optimizers(self):
        optimizer = self.task.optim.optimizer(self.task.model, self.task.layers(), self.task.no_decay())
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_with_warmup(step, self.steps, 0.1, 0.0))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def lightning(width: int, depth: int, data: Beetles, steps: int) -> list[float]:
    clock = Clock()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = Trainer(
        max_steps=steps, max_epochs=-1, accelerator="cpu", callbacks=[clock], gradient_clip_val=1.0, limit_val_batches=0,
        use_distributed_sampler=False, log_every_n_steps=20, **quiet,
    )  # fmt: skip
    trainer.fit(PlainModule(task_for(width, depth, data), steps), datamodule=data)
    return clock.ticks


def ours(width: int, depth: int, data: Beetles, steps: int, tracked: bool) -> list[float]:
    task, clock = task_for(width, depth, data), Clock()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(every_n_steps=200)
        checkpoints.folder = Path(folder)
        ours = [Position(), Rng(), Progress(), Interrupt(checkpoints, print), Ema(0.0), clock, checkpoints]
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = Trainer(
            max_steps=steps, max_epochs=-1, accelerator="cpu", plugins=[WholeFiles()], callbacks=ours, gradient_clip_val=1.0,
            limit_val_batches=0, use_distributed_sampler=False, deterministic=True, log_every_n_steps=20, **quiet,
        )  # fmt: skip
        if not tracked:
            trainer.fit(task, datamodule=data)
            return clock.ticks
        run = Run.start(Path(folder), "dcal", "seed_everything: 0\n")
        trainer.logger = RunLogger(run)
        sender = Sender(run).start()
        trainer.fit(task, datamodule=data)
        sender.stop()
    return clock.ticks


def step_ms(ticks: list[float]) -> float:
    gaps = [b - a for a, b in zip(ticks[SKIPPED:], ticks[SKIPPED + 1 :], strict=False)]
    return 1000 * statistics.median(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/loop.json"))
    options = parser.parse_args()
    rows = []
    for name, width, depth, batch, steps in SIZES:
        data = Beetles(batch_size=batch, workers=0)
        data.prepare_data()
        data.setup("fit")
        arms: dict[str, list[float]] = {"bare": [], "lightning": [], "task": [], "tracked": []}
        for _ in range(options.rounds):
            arms["bare"].append(step_ms(bare(width, depth, data, steps)))
            arms["lightning"].append(step_ms(lightning(width, depth, data, steps)))
            arms["task"].append(step_ms(ours(width, depth, data, steps, tracked=False)))
            arms["tracked"].append(step_ms(ours(width, depth, data, steps, tracked=True)))
        median = {arm: statistics.median(values) for arm, values in arms.items()}
        ratio = {
            arm: statistics.median(a / b for a, b in zip(arms[arm], arms[base], strict=True))
            for arm, base in (("task", "bare"), ("tracked", "task"))
        }
        row = {"size": name, **{f"{arm}_ms": round(ms, 3) for arm, ms in median.items()}}
        row["lightning_over_bare_ms"] = round(median["lightning"] - median["bare"], 3)
        row["task_over_bare_ms"] = round(median["task"] - median["bare"], 3)
        row |= {"task_over_bare": round(ratio["task"], 3), "tracked_over_task": round(ratio["tracked"], 3)}
        rows.append(row)
        print(rows[-1])
    write(options.out, "loop", rows)


if __name__ == "__main__":
    main()
