"""One of several seeds, folds or points: trained to its end, perhaps its best epoch tested once. It can be sent to another process."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from apps.base.beginning import Beginning
from apps.base.callbacks.checkpoints import LAST
from apps.base.card import Card
from apps.base.checkpoint import evaluation_weights, locate, read_checkpoint
from apps.base.compose import Words
from apps.base.errors import FailureError
from apps.base.measuring import measure
from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.base.tracking.run import Kind, Run
from apps.base.training import train

__all__ = ["DONE", "PARAMETERS", "SECONDS", "Job", "Outcome", "Piece", "children_of", "work"]

DONE = "crossval/done"  # logged last: the child need not be done again
SECONDS = "crossval/seconds"
PARAMETERS = "crossval/parameters"


class Piece(Protocol):
    """What one child differs in."""

    @property
    def label(self) -> str: ...  # the end of the child's name

    @property
    def keys(self) -> tuple[str, ...]: ...  # as keys of the recipe


@dataclass(frozen=True)
class Job:
    """What all children share."""

    shell: Shell
    card: Card
    words: Words  # the recipe's
    parent: Path  # folder of the parent's run
    kind: Kind  # of the children
    test: bool
    threads: int


class Outcome(NamedTuple):
    piece: Piece
    run: Path | None  # folder
    failed: str | None = None


def children_of(parent: Run) -> dict[str, Run]:
    """By name; of several with one name (an attempt that could not be resumed) the newest."""
    return {run.name: run for run in find_runs(parent.home, parent.app) if run.parent == parent.id}


def work(job: Job, piece: Piece) -> Outcome:
    before = torch.get_num_threads()
    torch.set_num_threads(job.threads)  # the same whatever goes on besides: results do not depend on --jobs
    try:
        return Outcome(piece, _done(job, piece).folder)
    except FailureError as error:  # the others may fare better; a mistake of the user's is the same for all and ends everything
        return Outcome(piece, None, " ".join(str(error).split()))
    finally:
        torch.set_num_threads(before)


def _done(job: Job, piece: Piece) -> Run:
    parent = Run.open(job.parent)
    name = f"{parent.name}-{piece.label}"
    run = children_of(parent).get(name)
    if run is not None and DONE in run.history():
        return run
    start = time.monotonic()
    if run is None or run.state != "finished":
        run = _trained(job, piece, parent, name, run)
    if job.test:
        best = locate(run.checkpoints, "best")
        measure(job.shell, Beginning(job.card, "test", Words(ckpt="best", allow=job.words.allow), job.shell.say, best, run), child=True)
    weights = evaluation_weights(read_checkpoint(run.checkpoints / LAST))
    run.metric({PARAMETERS: sum(weight.numel() for weight in weights.values()), SECONDS: time.monotonic() - start, DONE: 1.0}, step=0)
    run.flush()
    (run.checkpoints / LAST).unlink()
    return run


def _trained(job: Job, piece: Piece, parent: Run, name: str, old: Run | None) -> Run:
    """From where an earlier call was broken off, where it left something."""
    words = Words(job.words.recipes, rest=job.words.rest, allow=job.words.allow, name=name, no_diff=True)
    last = old.checkpoints / LAST if old is not None else None
    checkpoint = last if last is not None and last.exists() else None
    beginning = Beginning(job.card, "fit", words, job.shell.say, checkpoint, old if checkpoint else None)
    run = train(job.shell, beginning, parent, piece.keys, job.kind)
    if run is None:
        raise FailureError(f"{name}: one of several trainings is trained by one process")
    return run
