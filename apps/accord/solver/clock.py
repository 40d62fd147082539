"""How much time there is, when it began, and how many rollouts fit into what is left."""

import math
import os
import sys
import time
from pathlib import Path

__all__ = ["Clock", "Pace", "entered"]


class Clock:
    """Seconds since the work began; `limit` None: as long as it takes.

    >>> Clock(limit=10.0).left() <= 10.0
    True
    """

    def __init__(self, limit: float | None = None, began: float | None = None) -> None:
        self.began = time.monotonic() if began is None else began
        self.limit = limit

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def left(self) -> float:
        return math.inf if self.limit is None else self.limit - self.elapsed()

    def over(self) -> bool:
        return self.left() <= 0

    @property
    def deadline(self) -> float | None:
        """In time.monotonic's seconds."""
        return None if self.limit is None else self.began + self.limit

    def until(self, share: float) -> float | None:
        """The moment at which this share of what is left is used up."""
        return None if self.limit is None else time.monotonic() + max(self.left(), 0.0) * share


class Pace:
    """Batches that grow as long as they fit: the last one estimates the next, and shrinks it when time runs out.

    ours: a step of a small network on a CPU costs as much as SHARED rollouts before the first one.
    """

    SHARED = 32

    def __init__(self, clock: Clock, most: int) -> None:
        self.clock, self.most = clock, most
        self.size, self.seconds = 0, 0.0  # of the last batch

    def fits(self, size: int) -> bool:
        return size <= min(self.most, self._room())

    def next(self, wanted: int) -> int:
        """How many rollouts to do now, at most four times as many as before; 0: not even one fits."""
        return max(0, min(max(4 * self.size, 1), self.most, wanted, self._room()))

    def did(self, size: int, seconds: float) -> None:
        self.size, self.seconds = size, seconds

    def _room(self) -> int:
        """The size at which the estimate is four fifths of what is left: a fifth is kept back for what it misses."""
        if self.clock.over():
            return 0
        if self.clock.limit is None or self.seconds <= 0:
            return self.most
        return int(0.8 * self.clock.left() / self.seconds * (self.size + self.SHARED)) - self.SHARED


def entered() -> float:
    """When the process began that was started for this one command, so that loading counts too; in any other process: now."""
    now = time.monotonic()
    if Path(sys.argv[0]).name not in ("discern", "cli.py"):
        return now
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # the 22nd field, seconds since the machine's start
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return now  # no Linux
    return now - max(age, 0.0)
