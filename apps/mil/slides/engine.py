"""Where slides are worked on: in this process, in several of this machine, or on a Ray cluster. Results do not depend on it."""

from collections.abc import Sequence
from functools import partial

from apps.base.engine import Engine, each
from apps.base.engine.progress import Progress
from apps.base.shell import Shell
from apps.mil.slides.job import Job
from apps.mil.slides.stages import Done, work
from datamodules.mil.slides.discover import SlideRow

__all__ = ["run_all"]


def run_all(job: Job, rows: Sequence[SlideRow], engine: str, jobs: int, shell: Shell, address: str | None = None) -> list[Done]:
    """Every slide, in the order of the rows. `address`: of a running Ray cluster; None starts one here."""
    where = Engine(engine, jobs, address, job.threads, preload=("apps.mil.slides.stages",))
    found = {}
    with Progress(len(rows), "slides", shell) as progress:
        for done in each(where, partial(work, job), rows, lambda row, why: Done(row.slide_id, "failed", why, ())):
            found[done.slide] = done
            complaint = f"{done.slide}: {done.reason}" if done.status in ("failed", "locked") else None
            progress.add(done.status == "failed", complaint)
    return [found[row.slide_id] for row in rows]
