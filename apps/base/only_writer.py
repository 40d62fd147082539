"""One writer at a time, between processes: read anew inside, change, write whole."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from apps.base.tracking.lock import held

__all__ = ["lock_beside", "only_writer"]


def lock_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def only_writer(path: Path, say: Callable[[str], None], pause: float = 0.05) -> Iterator[None]:
    """Within the block no other process changes the file: read it anew inside, change it, save it. Waits for its turn.

    The lock is a file of its own beside it and stays there; a process that dies gives the lock back.
    """
    lock = lock_beside(path)
    waiting = False
    while True:
        with held(lock) as mine:
            if mine:
                yield
                return
        if not waiting:
            say(f"{path}: another process writes it; waiting")
            waiting = True
        time.sleep(pause)
