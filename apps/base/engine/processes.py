"""Several processes of this machine. Each imports once and does many pieces."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from apps.base.errors import FailureError
from datamodules.workers import start_worker, worker_context

__all__ = ["on_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_processes(work: Callable[[Item], Result], items: Sequence[Item], jobs: int, preload: tuple[str, ...]) -> Iterator[Result]:
    pool = ProcessPoolExecutor(jobs, mp_context=worker_context(preload), initializer=_begin)
    try:
        for future in as_completed([pool.submit(work, item) for item in items]):
            yield future.result()
    except BrokenProcessPool:
        raise FailureError(
            "a worker was killed, perhaps for want of memory; run the same command again: what is finished stays (--jobs 1 needs the least)"
        ) from None
    except KeyboardInterrupt:  # reached the workers as well
        raise
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()  # a training saves and leaves
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    start_worker(0)
    threading.Thread(target=_follow, name="discern-follower", daemon=True).start()


def _follow() -> None:
    """A worker whose parent was killed would go on with what is queued: it is told to leave as the parent would have told it."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
