"""Training one run, which may be a child of another."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only

from apps.base.advice import advice
from apps.base.beginning import Beginning, prepare
from apps.base.callbacks.interrupt import Interrupt, Interrupted
from apps.base.callbacks.position import Position
from apps.base.callbacks.progress import Progress
from apps.base.callbacks.rng import Rng
from apps.base.checkpoint import read_weights
from apps.base.errors import FailureError, UserError
from apps.base.quiet import run_trainer
from apps.base.recipe import Recipe
from apps.base.report import write_report
from apps.base.shell import Shell
from apps.base.task import BaseTask
from apps.base.toolchain import missing_compiler
from apps.base.tracking.logger import RunLogger
from apps.base.tracking.provenance import record_provenance
from apps.base.tracking.run import Kind, Run
from apps.base.tracking.tracked import tracked

__all__ = ["train"]


def train(shell: Shell, beginning: Beginning, parent: Run | None = None, extra: tuple[str, ...] = (), kind: Kind = "fit") -> Run | None:
    """Train; the run, on the first process of a distributed training (the others keep none). `extra` are keys that come last.

    parent: the run becomes a child of this one, of this kind. A child logs metrics and config only: the report is the parent's.
    """
    first = rank_zero_only.rank == 0
    checkpoint = beginning.read()  # unreadable: said before a run is begun
    callbacks: list[Any] = [Position(), Rng(), *([Progress()] if first and not shell.quiet else [])]
    recipe = beginning.recipe(checkpoint["discern"]["recipe"] if checkpoint else None, callbacks, extra)
    task = prepare(recipe, "fit")
    if beginning.words.init is not None:
        _warm_start(shell, task, beginning.words.init)
    elif checkpoint is None:
        task.cold_started()
    trainer: Any = recipe.trainer
    checkpoints = recipe.config_init["checkpoints"]
    trainer.callbacks.insert(len(trainer.callbacks) - 1, Interrupt(checkpoints, shell.complain))  # just before the checkpoints
    _accelerate(shell, recipe, task)
    if not first:
        stop = _fit(recipe, beginning)
        if stop is not None:
            raise SystemExit(stop.exit_code)
        return None
    run = _begin_run(shell, beginning, recipe, checkpoint, parent, kind)
    checkpoints.folder = run.checkpoints
    checkpoints.say, checkpoints.dropped = shell.complain, run.forget_artifact
    trainer.logger = RunLogger(run)
    with tracked(shell, run):
        record_provenance(run, recipe.datamodule.card(beginning.words.hash), no_diff=beginning.words.no_diff)
        stop = _fit(recipe, beginning)
        for path in sorted(run.checkpoints.glob("*.ckpt")) if parent is None else ():
            run.artifact(path)
        run.status("finished" if stop is None else "interrupted")
        if parent is None:
            write_report(run)
        if checkpoints.failed_save:
            raise FailureError(f"the disk is full: the last state of run {run.name} was not saved; make room and resume it")
        if stop is not None and parent is not None:
            raise SystemExit(stop.exit_code)
        if stop is not None:
            resume = advice(shell, run.app, "fit", "--ckpt", "last", "--run", run.name)
            shell.complain(f"{stop}: saved at step {trainer.global_step}; go on with: {resume}")
            raise SystemExit(stop.exit_code)
    return run


def _begin_run(
    shell: Shell, beginning: Beginning, recipe: Recipe, checkpoint: dict[str, Any] | None, parent: Run | None, kind: Kind
) -> Run:
    """The same run goes on with the same recipe; a resume with another recipe is a child of the run that it continues."""
    old, words = beginning.run, beginning.words
    if old is not None and checkpoint is not None and checkpoint["discern"]["recipe"] == recipe.text:
        step = int(checkpoint["global_step"])
        old.new_attempt(from_step=step)
        shell.say(f"resuming {old.name} at step {step}")
        return old
    older = parent or old
    run = Run.start(shell.home, beginning.card.name, recipe.text, older.id if older else None, words.name, kind)
    shell.say(f"{beginning.card.name}: run {run.name} ({run.id})")
    return run


def _fit(recipe: Recipe, beginning: Beginning) -> Interrupted | None:
    """Train to the end, or until a signal: then what stopped it."""
    try:
        run_trainer(recipe.trainer, "fit", recipe.model, datamodule=recipe.datamodule, ckpt_path=beginning.checkpoint, weights_only=True)
    except Interrupted as stop:
        return stop
    except torch.cuda.OutOfMemoryError as error:
        raise FailureError("the GPU's memory is full; lower data.batch_size or take --trainer.precision bf16-mixed") from error
    return None


def _warm_start(shell: Shell, task: BaseTask, path: Path) -> None:
    report = task.take_weights(read_weights(path), path)
    shell.say(f"--init {path}: {report}")
    if not report.loaded:
        raise UserError(f"--init {path}: no weight fits this model; is it another trunk?")
    task.warm = frozenset(report.loaded)
    task.warm_started()


def _accelerate(shell: Shell, recipe: Recipe, task: BaseTask) -> None:
    if recipe.config["channels_last"]:
        task.model.to(memory_format=torch.channels_last)
    if recipe.config["compile"]:
        missing = missing_compiler() if recipe.trainer.strategy.root_device.type == "cpu" else None
        if missing:
            shell.complain(f"compile: skipped, because {missing}")
        else:
            task.model.compile()
