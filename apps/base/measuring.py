"""A checkpoint measured on a split; what is found goes into its run."""

import csv
from pathlib import Path
from typing import Any, cast

from pytorch_lightning.utilities import rank_zero_only

from apps.base.beginning import Beginning
from apps.base.callbacks.progress import Progress
from apps.base.quiet import run_trainer
from apps.base.report import write_report
from apps.base.shell import Shell
from apps.base.tracking.tracked import tracked
from datamodules.whole import write_whole

__all__ = ["ANSWERS", "measure"]

ANSWERS = "answers.csv"  # in a run's folder, where its task keeps a row for each tested item


def measure(shell: Shell, beginning: Beginning, child: bool = False) -> dict[str, float]:
    """What `validate` or `test` finds. child: of a run that logs metrics only; figures and the report are its parent's."""
    verb, run = beginning.verb, beginning.run
    recipe, task, step = beginning.restore()
    data, trainer = recipe.set_up(verb), cast("Any", recipe.trainer)
    task.check_data(data)
    if rank_zero_only.rank == 0 and not shell.quiet:
        trainer.callbacks.append(Progress())
    (values,) = run_trainer(trainer, verb, task, datamodule=data, verbose=False)
    figures, answers = {}, []
    if verb == "test":
        answers = task.answers(data)
        values |= {f"test/{name}": value for name, value in task.baselines(data).items()}
        if not child:
            figures = task.figures(data)  # on every process: what is drawn is gathered from all
    if rank_zero_only.rank or run is None:
        return values
    with tracked(shell, run):
        run.metric(values, step=step)
        run.tag(f"{verb}ed", f"{beginning.checkpoint.name if beginning.checkpoint else ''} at step {step}")
        if verb == "test" and not child:
            figures |= task.run_figures(run.history())
        if answers:
            with run.spared(ANSWERS):
                _write(run.folder / ANSWERS, answers)  # no artifact: names of slides and patients stay on this machine
        for name, png in figures.items():
            run.figure(name, png)
        if not child:
            write_report(run)
    return values


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with write_whole(path, "w", private=True) as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
