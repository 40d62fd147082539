"""Where slides are worked on: in this process, in several of this machine, or on a Ray cluster. Results do not depend on it."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from apps.base.errors import FailureError, UserError
from apps.base.shell import Shell
from apps.mil.slides_job import Job
from apps.mil.slides_stages import Done, work
from datamodules.mil.slides.discover import SlideRow
from datamodules.workers import start_worker, worker_context

__all__ = ["run_all"]

PATIENCE = 30.0  # seconds between two lines where there is no terminal


def run_all(job: Job, rows: Sequence[SlideRow], engine: str, jobs: int, shell: Shell, address: str | None = None) -> list[Done]:
    """Every slide, in the order of the rows. `address`: of a running Ray cluster; None starts one here."""
    if engine == "ray":
        stream = _on_ray(job, rows, address, jobs)
    elif jobs == 1 or len(rows) == 1:
        stream = (work(job, row) for row in rows)
    else:
        stream = _on_processes(job, rows, min(jobs, len(rows)))
    progress = _Progress(len(rows), shell)
    found = {}
    for done in stream:
        found[done.slide] = done
        progress.add(done)
    progress.close()
    return [found[row.slide_id] for row in rows]


def _on_processes(job: Job, rows: Sequence[SlideRow], jobs: int) -> Iterator[Done]:
    context = worker_context(("apps.mil.slides_stages",))
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=start_worker, initargs=(0,))
    try:
        for future in as_completed([pool.submit(work, job, row) for row in rows]):
            yield future.result()
    except BrokenProcessPool:
        raise FailureError(
            "a worker was killed, perhaps for want of memory; run the same command again: what is finished stays (--jobs 1 needs the least)"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _on_ray(job: Job, rows: Sequence[SlideRow], address: str | None, jobs: int) -> Iterator[Done]:
    try:
        import ray
        from ray.exceptions import RayError, RayTaskError
    except ImportError:
        raise UserError("--engine ray needs ray; run: pip install 'discern[ray]'") from None
    began = not ray.is_initialized()
    if began:
        # workers of a cluster started here find this code where it lies; on a cluster of its own it is installed
        root = str(Path(__file__).resolve().parents[2])
        here = {} if address else {"num_cpus": jobs, "runtime_env": {"env_vars": {"PYTHONPATH": root}}}
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                **here,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"--ray-address {address}: no cluster answers ({' '.join(str(error).split())[:100]})") from None
    try:
        task = ray.remote(num_cpus=job.threads, max_retries=2)(work)
        waiting = {task.remote(job, row): row for row in rows}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            row = waiting.pop(ready)
            try:
                yield ray.get(ready)
            except RayTaskError as error:
                raise error.as_instanceof_cause() from None  # a UserError stays one
            except RayError as error:
                yield Done(row.slide_id, "failed", f"lost on the cluster: {type(error).__name__}", ())
    finally:
        if began:
            ray.shutdown()


class _Progress:
    """A bar with rate and time left on a terminal, a line every 30 s elsewhere."""

    def __init__(self, total: int, shell: Shell) -> None:
        self.total, self.shell = total, shell
        self.done = self.failed = 0
        self.began = self.told = time.monotonic()
        self.bar = sys.stderr.isatty() and not shell.quiet

    def add(self, done: Done) -> None:
        self.done += 1
        self.failed += done.status == "failed"
        if done.status in ("failed", "locked"):
            self._clear()
            self.shell.complain(f"{done.slide}: {done.reason}")
        now = time.monotonic()
        rate = self.done / max(now - self.began, 1e-9)
        left = (self.total - self.done) / rate
        text = f"{self.done}/{self.total} slides, {rate * 60:.1f} a minute, {left / 60:.1f} min left, {self.failed} failed"
        if self.bar:
            filled = round(24 * self.done / self.total)
            print(f"\r[{'#' * filled}{'.' * (24 - filled)}] {text}", end="", file=sys.stderr, flush=True)
        elif now - self.told >= PATIENCE:
            self.told = now
            self.shell.say(text)

    def close(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self.bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
