"""fit, validate, test, export, predict: the verbs that every application shares."""

import json
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from apps.base.advice import advice
from apps.base.beginning import Beginning, begin
from apps.base.card import Card
from apps.base.errors import UserError
from apps.base.family.parent import resumable
from apps.base.family.seeds import train_seeds
from apps.base.measuring import measure
from apps.base.recipe import Recipe
from apps.base.report import write_report
from apps.base.shell import Shell
from apps.base.task import BaseTask
from apps.base.tracking.names import new_name
from apps.base.tracking.tracked import tracked
from apps.base.training import train
from datamodules.base import DataError

__all__ = ["export", "fit", "predict", "test", "validate"]

PARITY_ITEMS = 6


def fit(shell: Shell, argv: list[str], card: Card) -> int:
    """Train. With no options: the embedded recipe, about a minute on two cores."""
    beginning = begin(shell, card, "fit", fit.__doc__ or "", argv)
    if beginning is None:
        return 0
    if beginning.words.seeds > 1:
        name = beginning.words.name or new_name(shell.home)
        with resumable(shell, card, "fit", argv, name):
            print(json.dumps(train_seeds(shell, beginning, name)))
        return 0
    if (run := train(shell, beginning)) is not None:
        print(json.dumps({"run": run.id}))
        following = ((card.name, "test"), (card.name, "export"), ("ui",))
        shell.say("done; next: " + "    ".join(advice(shell, *words) for words in following))
    return 0


def validate(shell: Shell, argv: list[str], card: Card) -> int:
    """Measure a checkpoint on the validation split."""
    return _measure(shell, begin(shell, card, "validate", validate.__doc__ or "", argv))


def test(shell: Shell, argv: list[str], card: Card) -> int:
    """Measure a checkpoint on the test split; the figures go into its run."""
    return _measure(shell, begin(shell, card, "test", test.__doc__ or "", argv))


def export(shell: Shell, argv: list[str], card: Card) -> int:
    """Write one file that answers without this package, after it has given the same answers as the model here."""
    from apps.base.export import export_program, suffix_of

    beginning = begin(shell, card, "export", export.__doc__ or "", argv)
    if beginning is None:
        return 0
    words, run = beginning.words, beginning.run
    suffix = suffix_of(words.output, words.format)
    recipe, task, _ = beginning.restore()
    name = _program(words.program, task, card)
    file = f"{card.name}{suffix}" if name == card.programs[0] else f"{card.name}-{name}{suffix}"
    output = words.output or (run.exports / file if run else Path(file))
    program = task.program(name, _real_items(shell, recipe))
    parity = export_program(program, output, None, shell)
    if run is not None:
        with tracked(shell, run):
            run.model(output, parity, program.metadata())
            write_report(run)
    print(json.dumps({"file": str(output), "parity": parity["worst"], "run": run.id if run else None}))
    return 0


def predict(shell: Shell, argv: list[str], card: Card) -> int:
    """Answer from an exported file of this application."""
    from apps.base.predict import predict as answer

    return answer(shell, argv, card)


def _program(asked: str | None, task: BaseTask, card: Card) -> str:
    offered = task.programs or card.programs
    if asked is not None and asked not in offered:
        raise UserError(f"{type(task).__name__} exports {', '.join(offered)}, not {asked}")
    return asked or offered[0]


def _real_items(shell: Shell, recipe: Recipe) -> list[Any]:
    """Some raw test items for the parity check; a checkpoint can be exported where its data is not."""
    try:
        return recipe.set_up("test").examples(PARITY_ITEMS)
    except (DataError, OSError) as error:
        shell.complain(f"parity is checked on random inputs only: {error}")
        return []


def _measure(shell: Shell, beginning: Beginning | None) -> int:
    if beginning is None:
        return 0
    values = measure(shell, beginning)
    if rank_zero_only.rank == 0:
        run = beginning.run
        print(json.dumps({"run": run.id if run else None, **{key: round(value, 6) for key, value in values.items()}}))
    return 0
