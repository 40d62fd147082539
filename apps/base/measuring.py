"""A checkpoint measured on a split; what is found goes into its run."""

from pytorch_lightning.utilities import rank_zero_only

from apps.base.beginning import Beginning
from apps.base.quiet import run_trainer
from apps.base.report import write_report
from apps.base.shell import Shell
from apps.base.tracking.tracked import tracked

__all__ = ["measure"]


def measure(shell: Shell, beginning: Beginning, child: bool = False) -> dict[str, float]:
    """What `validate` or `test` finds. child: of a run that logs metrics only; figures and the report are its parent's."""
    verb, run = beginning.verb, beginning.run
    recipe, task, step = beginning.restore()
    data = recipe.datamodule
    data.prepare_data()
    data.setup(verb)
    task.check_data(data)
    (values,) = run_trainer(recipe.trainer, verb, task, datamodule=data, verbose=False)
    figures = {}
    if verb == "test":
        values |= {f"test/{name}": value for name, value in task.baselines(data).items()}
        if not child:
            figures = task.figures()  # on every process: what is drawn is gathered from all
    if rank_zero_only.rank or run is None:
        return values
    with tracked(shell, run):
        run.metric(values, step=step)
        run.tag(f"{verb}ed", f"{beginning.checkpoint.name if beginning.checkpoint else ''} at step {step}")
        if verb == "test" and not child:
            figures |= task.run_figures(run.history())
        for name, png in figures.items():
            run.figure(name, png)
        if not child:
            write_report(run)
    return values
