"""`discern APP crossval`: the same words for every application; its card registers them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.base.advice import advice
from apps.base.card import Card
from apps.base.compose import Words
from apps.base.crossval.child import Job, Outcome, work
from apps.base.crossval.draw import folds_figure
from apps.base.crossval.plan import Cut, Plan, make_plan
from apps.base.crossval.result import RESULT, Result, read_values, summarise
from apps.base.crossval.table import table
from apps.base.engine import Engine, add_engine, each, engine_of
from apps.base.engine.progress import Progress
from apps.base.errors import FailureError, UserError
from apps.base.report import write_report
from apps.base.seeds import offer
from apps.base.shell import Parser, Shell
from apps.base.tracking.names import new_name
from apps.base.tracking.provenance import record_provenance
from apps.base.tracking.run import Run, find_runs
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
    parser = _parser(shell, card)
    args, rest = parser.parse_known_args(argv)
    if args.seeds < 1 or (args.repeats is not None and args.repeats < 1) or args.threads < 1:
        raise UserError("--seeds, --repeats and --threads are at least 1")
    preload = (card.task.rpartition(".")[0], "apps.base.crossval.child")
    engine = engine_of(args.engine, args.jobs, args.ray_address, 1, args.threads, preload)
    words = Words(args.recipes, rest=rest, allow=args.allow, no_diff=args.no_diff)
    plan = make_plan(shell, card, words, _numbers(args.folds), args.repeats, args.seeds)
    name = args.name or new_name({run.name for run in find_runs(shell.home)})
    parent = _parent(shell, card, plan, name, args.no_diff)
    again = advice(shell, card.name, "crossval", *_without_name(argv), "--name", name)
    try:
        with tracked(shell, parent):
            _train(shell, card, words, plan, parent, engine)
            result, values = _summary(card, plan, parent)
            said = [*_flags(plan), *notes(result, plan.data)]
            _keep(parent, result, values, said)
            parent.status("finished")
            write_report(parent)
    except BaseException as stop:
        if getattr(stop, "exit_code", None) != UserError.exit_code:
            shell.complain(f"{name} is not finished; go on with: {again}")
        raise
    for line in said:
        shell.complain(line)
    print(json.dumps({**result.plain(), "notes": said}) if args.json else table(result, values))
    return 0


def _parser(shell: Shell, card: Card) -> Parser:
    parser = shell.parser(f"{card.name} crossval", DOC, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", dest="recipes", action="append", default=[], metavar="NAME|FILE", help="a recipe, as for fit")
    parser.add_argument("--folds", metavar="A,B,...", help="which folds are tested (default: all)")
    parser.add_argument("--repeats", type=int, metavar="N", help="ways to cut the data into folds, where it knows several (default: 1)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings a fold (default: 1)")
    parser.add_argument("--name", help="of the run; that of an earlier call goes on with it")
    add_engine(parser, "trainings")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of a training; the result may depend on it (default: 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="let configs name classes of this package")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the run")
    return parser


def _parent(shell: Shell, card: Card, plan: Plan, name: str, no_diff: bool) -> Run:
    """The run of an earlier call, or a new one. What was selected on test is a comparison: its run is never the newest to export."""
    for run in find_runs(shell.home, card.name):
        if run.name == name and run.parent is None:
            if (run.folder / "config.yaml").read_text("utf-8") != plan.text:
                raise UserError(f"--name {name}: a run of another recipe has that name; take another, or give the same options")
            run.new_attempt(from_step=0)
            return run
    kind = "comparison" if plan.mean_curve else "fit"
    run = Run.start(shell.home, card.name, plan.text, name=name, kind=kind)
    record_provenance(run, plan.data.describe(), no_diff=no_diff)
    run.tag("selected_on", plan.chosen_on)
    return run


def _train(shell: Shell, card: Card, words: Words, plan: Plan, parent: Run, engine: Engine) -> None:
    quiet = Shell(shell.home.resolve(), quiet=True, debug=shell.debug)
    whole = Words([_whole(word) for word in words.recipes], rest=words.rest, allow=words.allow)
    job = Job(quiet, card, whole, parent.folder, not plan.mean_curve, engine.threads)
    shell.say(f"{card.name}: cross-validation {parent.name} ({parent.id}), {len(plan.cuts)} trainings")
    progress = Progress(len(plan.cuts), "trainings", shell)
    failed = []
    for outcome in each(engine, _Work(job), plan.cuts, lambda cut, why: Outcome(cut, None, why)):
        complaint = f"{outcome.cut.label}: {outcome.failed}" if outcome.failed else None
        progress.add(outcome.run is None, complaint)
        if outcome.run is None:
            failed.append(outcome.cut.label)
        elif not plan.mean_curve:
            offer(parent, Run.open(outcome.run))
    progress.close()
    if failed:
        raise FailureError(f"{len(failed)} of {len(plan.cuts)} trainings failed: {', '.join(sorted(failed)[:5])}")


class _Work:
    """`work` of one job, for other processes."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self, cut: Cut) -> Outcome:
        return work(self.job, cut)


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


def _whole(recipe: str) -> str:
    """A recipe's file by its whole path: a worker may stand elsewhere."""
    return str(Path(recipe).resolve()) if Path(recipe).is_file() else recipe


def _without_name(argv: list[str]) -> list[str]:
    place = iter(argv)
    return [word for word in place if not (word == "--name" and next(place, None) is not None) and not word.startswith("--name=")]
