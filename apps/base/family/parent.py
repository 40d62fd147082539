"""A run whose children are trained apart: the parent, found again by its name, and the children that are not finished yet."""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.base.advice import advice
from apps.base.card import Card
from apps.base.compose import Words
from apps.base.engine import Engine, add_engine, each, engine_of
from apps.base.engine.progress import Progress
from apps.base.errors import FailureError, UserError
from apps.base.family.child import Job, Outcome, Piece, work
from apps.base.shell import Parser, Shell, named, positive, threads
from apps.base.tracking.finding import find_runs
from apps.base.tracking.provenance import record_provenance
from apps.base.tracking.run import Kind, Run

__all__ = ["family_engine", "family_parser", "parent_run", "preload", "resumable", "train_children"]


def family_parser(shell: Shell, words: str, doc: str) -> Parser:
    parser = shell.parser(words, doc)
    parser.add_argument("-c", "--config", dest="recipes", action="append", default=[], metavar="NAME|FILE", help="a recipe, as for fit")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="trainings of each (default: 1)")
    parser.add_argument("--name", type=named, help="of the run; that of an earlier call goes on with it")
    add_engine(parser, "trainings")
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="of a training; the result may depend on it (default: 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="let configs name classes of this package")
    parser.add_argument("--no-diff", action="store_true", help="do not keep the uncommitted changes of the source with the run")
    return parser


def family_engine(args: argparse.Namespace, card: Card) -> Engine:
    return engine_of(args.engine, args.jobs, args.ray_address, 1, args.threads, preload(card))


def preload(card: Card) -> tuple[str, ...]:
    """What worker processes that train import once for all."""
    return card.task.rpartition(".")[0], "apps.base.family.child"


def parent_run(
    shell: Shell,
    card: Card,
    text: str,
    name: str,
    kind: Kind,
    data: Any,
    no_diff: bool,
    hash_content: bool = False,
    same: Callable[[Run], None] = lambda run: None,
) -> tuple[Run, bool]:
    """(the run of an earlier call, or a new one; whether it is new). `same` raises where that call was another, its run untouched."""
    for run in find_runs(shell.home, card.name):
        if run.name == name and run.parent is None:
            if (run.folder / "config.yaml").read_text("utf-8") != text:
                raise UserError(f"--name {name}: a run of another recipe has that name; take another, or give the same options")
            same(run)
            run.new_attempt(from_step=0)
            return run, False
    run = Run.start(shell.home, card.name, text, name=name, kind=kind)
    record_provenance(run, data.card(hash_content), no_diff=no_diff)
    return run, True


def train_children(
    shell: Shell,
    card: Card,
    words: Words,
    parent: Run,
    pieces: Sequence[Piece],
    kind: Kind,
    engine: Engine,
    test: bool,
    take: Callable[[Run], None],
) -> None:
    """`take` gets every child, finished now or by an earlier call, in the order of their ends."""
    heard = kind == "seed" and engine.name == "local" and engine.jobs == 1  # a few long trainings, one after the other
    theirs = Shell(shell.home.resolve(), quiet=shell.quiet or not heard, debug=shell.debug)
    whole = Words([_whole(word) for word in words.recipes], rest=words.rest, allow=words.allow)
    job = Job(theirs, card, whole, parent.folder, kind, test, engine.threads)
    failed = []
    with Progress(len(pieces), "trainings", shell) as progress:
        for outcome in each(engine, _Work(job), pieces, lambda piece, why: Outcome(piece, None, why)):
            complaint = f"{outcome.piece.label}: {outcome.failed}" if outcome.failed else None
            progress.add(outcome.run is None, complaint)
            if outcome.run is None:
                failed.append(outcome.piece.label)
            else:
                take(Run.open(outcome.run))
    if failed:
        raise FailureError(f"{len(failed)} of {len(pieces)} trainings failed: {', '.join(sorted(failed)[:5])}")


class _Work:
    """`work` of one job, for other processes."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self, piece: Piece) -> Outcome:
        return work(self.job, piece)


def _whole(recipe: str) -> str:
    """A recipe's file by its whole path: a worker may stand elsewhere."""
    return str(Path(recipe).resolve()) if Path(recipe).is_file() else recipe


@contextlib.contextmanager
def resumable(shell: Shell, card: Card, verb: str, argv: list[str], name: str) -> Iterator[None]:
    """Whatever breaks it off, the command that goes on with it is said; not where the words themselves were wrong."""
    place = iter(argv)
    words = [word for word in place if not (word == "--name" and next(place, None) is not None) and not word.startswith("--name=")]
    try:
        yield
    except BaseException as stop:
        if getattr(stop, "exit_code", None) != UserError.exit_code:
            shell.complain(f"{name} is not finished; go on with: {advice(shell, card.name, verb, *words, '--name', name)}")
        raise
