"""`discern APP crossval`: the same words for every application; its card registers them."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from apps.base.card import Card
from apps.base.compose import Words
from apps.base.crossval.draw import folds_figure
from apps.base.crossval.plan import Cut, Plan, make_plan
from apps.base.crossval.result import RESULT, Result, read_values, summarise
from apps.base.crossval.table import table
from apps.base.errors import UserError
from apps.base.family.best import offer
from apps.base.family.parent import family_engine, family_parser, parent_run, resumable, train_children
from apps.base.report import write_report
from apps.base.shell import Shell, flags_of, positive
from apps.base.tracking.names import new_name
from apps.base.tracking.run import Run
from apps.base.tracking.tracked import tracked
from datamodules.whole import write_whole

__all__ = ["cross_validate"]

DOC = """Train and test the recipe on every fold, for several seeds, and say the mean with its interval.

Each training is a child run that logs metrics and config; its epoch is chosen on its validation part, and its test part is looked at
once. The parent keeps the checkpoint of the child with the best validation score, for test and export. Other options are keys of the
recipe, as for fit. With --name of an earlier call what is finished stays, and what was broken off goes on.
"""

Notes = Callable[[Result, Any], list[str]]  # (result, datamodule) -> lines that must stand beside the figure


def cross_validate(shell: Shell, argv: list[str], card: Card, notes: Notes = lambda result, data: []) -> int:
    parser = family_parser(shell, f"{card.name} crossval", DOC)
    parser.add_argument("--folds", metavar="A,B,...", help="which folds are tested (default: all)")
    parser.add_argument(
        "--repeats", type=positive, metavar="N", help="ways to cut the data into folds, where it knows several (default: 1)"
    )
    args, rest = parser.parse_known_args(argv)
    engine = family_engine(args, card)
    words = Words(args.recipes, rest=rest, allow=args.allow, no_diff=args.no_diff, flags=flags_of(parser))
    plan = make_plan(shell, card, words, _numbers(args.folds), args.repeats, args.seeds)
    name = args.name or new_name(shell.home)
    # What was selected on test is a comparison: its run is never the newest to export.
    kind = "comparison" if plan.mean_curve else "fit"
    parent, _ = parent_run(shell, card, plan.text, name, kind, plan.data, args.no_diff)
    parent.tag("selected_on", plan.chosen_on)
    with resumable(shell, card, "crossval", argv, name), tracked(shell, parent):
        shell.say(f"{card.name}: cross-validation {parent.name} ({parent.id}), {len(plan.cuts)} trainings")
        take = (lambda child: None) if plan.mean_curve else partial(offer, parent)
        train_children(shell, card, words, parent, plan.cuts, "fold", engine, not plan.mean_curve, take)
        result, values = _summary(card, plan, parent)
        said = [*_flags(plan), *notes(result, plan.data)]
        _keep(parent, result, values, said)
        parent.status("finished")
        write_report(parent)
    for line in said:
        shell.complain(line)
    print(json.dumps({**result.plain(), "notes": said}) if args.json else table(result, values))
    return 0


def _summary(card: Card, plan: Plan, parent: Run) -> tuple[Result, dict[Cut, float]]:
    values, epoch = read_values(parent, plan.cuts, plan.mean_curve, card)
    result = summarise(parent, card, values, epoch, plan.monitor, plan.mode, plan.chosen_on)
    return result, values[result.metric]


def _keep(parent: Run, result: Result, values: dict[Cut, float], notes: list[str]) -> None:
    head = result.headline
    parent.metric({f"crossval/{key.removeprefix('test/')}": one.mean for key, one in result.scores.items()}, step=0)
    parent.metric({"crossval/half_interval": head.half_interval, "crossval/std_folds": head.std_folds}, step=0)
    parent.tag("notes", "; ".join(notes))
    with write_whole(parent.folder / RESULT, "w") as file:
        json.dump({**result.plain(), "notes": notes}, file, indent=1)
    parent.artifact(parent.folder / RESULT)
    parent.figure("folds", folds_figure(result, values))


def _flags(plan: Plan) -> list[str]:
    return ["selected on test: optimistic, for comparison only"] if plan.chosen_on == "test" else []


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdigit() for word in words) or len(set(words)) < len(words):
        raise UserError(f"--folds {text}: numbers with commas between, each once, as 0,1,2")
    return sorted(map(int, words))
