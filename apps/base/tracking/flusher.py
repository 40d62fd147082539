"""Metrics wait in memory, so that a step pays microseconds; one thread writes them out for all runs of the process."""

import atexit
import threading
import time
from typing import Protocol

__all__ = ["FLUSH_SECONDS", "watch"]

FLUSH_SECONDS = 2.0  # what a kill -9 can lose at most


class _Pending(Protocol):
    def flush(self) -> None: ...


_pending: set[_Pending] = set()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def watch(run: _Pending) -> None:
    """`run.flush` is called within FLUSH_SECONDS, and at the latest when the process ends."""
    global _thread
    _pending.add(run)
    if _thread is None:
        with _starting:
            if _thread is None:
                atexit.register(_flush)
                _thread = threading.Thread(target=_work, name="discern-run-log", daemon=True)
                _thread.start()


def _flush() -> None:
    for run in list(_pending):
        _pending.discard(run)  # before its flush: what comes meanwhile puts it back
        run.flush()


def _work() -> None:
    while True:
        time.sleep(FLUSH_SECONDS)
        _flush()
