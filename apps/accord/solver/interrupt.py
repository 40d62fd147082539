"""Ctrl-C while a problem is solved: the first gives the best so far, the second leaves at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apps.base.presses import Presses

__all__ = ["Stop", "interruptible"]


class Stop:
    """Asked once, it stays asked: the problems after the one that was cut are not begun."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.signum = 0

    def __bool__(self) -> bool:
        return self.asked.is_set()


@contextmanager
def interruptible(say: Callable[[str], None]) -> Iterator[Stop]:
    """SIGINT and SIGTERM ask the solver to stop; the handlers that stood before come back afterwards."""
    stop, presses = Stop(), Presses()

    def receive(signum: int, _: Any) -> None:
        if presses.again():
            os._exit(128 + signum)
        if stop:
            return
        stop.signum = signum
        stop.asked.set()
        say("stopping with the best so far; once more leaves at once")

    before = {signum: signal.signal(signum, receive) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
