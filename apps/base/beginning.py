"""How a training verb begins: the words, the checkpoint and run that they mean, the recipe, the task built for its data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, seed_everything
from pytorch_lightning.utilities import rank_zero_only

from apps.base.callbacks.checkpoints import LAST
from apps.base.card import Card
from apps.base.checkpoint import evaluation_weights, locate, read_checkpoint
from apps.base.compose import Words, config_arguments, take_words
from apps.base.errors import UserError
from apps.base.optim import parameter_groups
from apps.base.quiet import quiet_lightning
from apps.base.recipe import Recipe
from apps.base.recipe_help import recipe_help
from apps.base.shell import Parser, Shell, flags_of
from apps.base.task import BaseTask
from apps.base.tracking.finding import find, find_runs, newest
from apps.base.tracking.run import Run

__all__ = ["Beginning", "begin", "begin_at", "begin_beside"]


@dataclass
class Beginning:
    """What a command line asks for."""

    card: Card
    verb: str
    words: Words
    say: Callable[[str], None]
    checkpoint: Path | None = None
    run: Run | None = None  # that the checkpoint belongs to

    def recipe(self, base: str | None, callbacks: list[Callback], extra: tuple[str, ...] = ()) -> Recipe:
        """The recipe of these words; `base` is the one of a checkpoint, which named recipes replace."""
        words = self.words
        arguments = [*config_arguments(self.card, words.recipes, None if words.recipes else base), *words.rest, *extra]
        with quiet_lightning():
            recipe = Recipe(self.card, arguments, words.allow, callbacks, f"discern {self.card.name} {self.verb}", words.flags)
        recipe.datamodule.say = self.say
        return recipe

    def read(self) -> dict[str, Any] | None:
        """The checkpoint, when one is asked for."""
        if self.checkpoint is None:
            return None
        checkpoint = read_checkpoint(self.checkpoint, self.card.name)
        if self.verb == "fit" and "optimizer_states" not in checkpoint:
            raise UserError(f"{self.checkpoint}: holds weights only; resume from last.ckpt, or start from it with --init")
        return checkpoint

    def restore(self) -> tuple[Recipe, BaseTask, int]:
        """Recipe, task with the checkpoint's weights for evaluation (averaged ones where there are any), and its step."""
        checkpoint = self.read()
        assert checkpoint is not None  # every verb but fit has a default
        # An export uses no device: a run of four GPUs can be exported where there is none.
        anywhere = ("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.strategy", "auto") if self.verb == "export" else ()
        recipe = self.recipe(checkpoint["discern"]["recipe"], [], anywhere)
        task = recipe.model
        build(task, checkpoint["discern"]["facts"])
        try:
            task.model.load_state_dict(evaluation_weights(checkpoint))
        except RuntimeError as error:
            raise UserError(
                f"{self.checkpoint}: its weights are of another model than the recipe's; leave out the options that change it"
            ) from error
        task.eval()
        return recipe, task, int(checkpoint["global_step"])


def begin(shell: Shell, card: Card, verb: str, doc: str, argv: list[str]) -> Beginning | None:
    """Read the words; None when they asked for help."""
    words, help_text = take_words(shell, card, verb, doc, argv)
    if words.help:
        print(f"{help_text}\n{recipe_help(card, words.recipes, words.allow)}")
        return None
    if verb == "fit" and words.ckpt is None:
        if words.run is not None:
            raise UserError("--run names the run of a checkpoint; add --ckpt last to resume it")
        return Beginning(card, verb, words, shell.say)
    if verb == "fit" and words.ckpt == "best":
        raise UserError("--ckpt best: training resumes from last; to start anew from the best weights use --init")
    if words.ckpt is not None and (words.init is not None or words.name is not None):
        raise UserError("--init and --name begin a new run; they do not go with --ckpt, which goes on with one")
    if words.ckpt in ("best", "last"):
        if rank_zero_only.rank and words.run is None:  # the first process may have begun a child of the run meanwhile
            runs = [run for run in find_runs(shell.home, card.name) if (run.checkpoints / LAST).exists()]
            return Beginning(card, verb, words, shell.say, locate(runs[-1].checkpoints, words.ckpt), runs[-1])
        run = find(shell.home, words.run) if words.run else newest(shell.home, card.name)
        if run.app != card.name:
            raise UserError(f"run {run.name} belongs to {run.app}, not to {card.name}")
        return Beginning(card, verb, words, shell.say, locate(run.checkpoints, words.ckpt), run)
    if words.run is not None:
        raise UserError(f"--run goes with --ckpt best or last; {words.ckpt} is a file")
    path = Path(words.ckpt or "")
    return Beginning(card, verb, words, shell.say, path, _run_of(path))


def begin_at(shell: Shell, card: Card, verb: str, ckpt: str, run: str | None) -> Beginning:
    """For a verb that takes a checkpoint and nothing of the recipe: as `verb` would begin with it. An export needs no device."""
    beginning = begin(shell, card, verb, "", ["--ckpt", ckpt, *(["--run", run] if run is not None else [])])
    assert beginning is not None  # help was not asked for
    return beginning


def begin_beside(shell: Shell, card: Card, verb: str, parser: Parser, argv: list[str], helping: bool) -> Beginning | None:
    """For a verb with options of its own beside those of `verb`: `argv` is what its parser left. Help is that of both."""
    if helping:
        print(parser.format_help())
    beginning = begin(replace(shell, example=""), card, verb, "The other options:", ["--help"] if helping else argv)
    if beginning is not None:
        beginning.words.flags += flags_of(parser)
    return beginning


def prepare(recipe: Recipe, stage: str) -> BaseTask:
    """The datamodule set up, and the task built for what it found. Initialisation depends on the seed alone, not on the set-up."""
    task = recipe.model
    try:
        facts = task.gather(recipe.set_up(stage))
    except ValueError as error:
        raise _does_not_fit(error) from error
    seed_everything(recipe.config["seed_everything"], workers=True, verbose=False)
    task.recipe = recipe.text
    build(task, facts)
    return task


def build(task: BaseTask, facts: dict[str, Any]) -> None:
    try:
        task.build(facts)
        parameter_groups(task.model, task.optim, task.layers(), task.no_decay())  # a wrong optim.freeze is said now, not after the set-up
    except ValueError as error:  # of the recipe's values: sizes that do not fit, a share out of range
        raise _does_not_fit(error) from error


def _does_not_fit(error: ValueError) -> Exception:
    return error if hasattr(error, "exit_code") else UserError(f"the recipe does not fit: {error}")


def _run_of(checkpoint: Path) -> Run | None:
    """A checkpoint inside a run's folder belongs to that run; one from elsewhere to none."""
    folder = checkpoint.resolve().parent
    return Run.open(folder.parent) if folder.name == "checkpoints" and (folder.parent / "run.json").exists() else None
