"""How far long work is, on stderr: a bar with rate and time left on a terminal, a line every 30 s elsewhere."""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["EVERY_S", "Line"]

EVERY_S = 30.0
REDRAW_S = 0.2
WIDTH = 24


class Line:
    """
    >>> with Line("inputs", total=300) as line:
    ...     line.at(12, "1 failed")

    total: None where nobody knows it; a function is asked when the first line is due: short work is not counted beforehand
    first: what was done before the clock began
    bar: False where a bar would be torn by what else is written to the terminal
    """

    def __init__(
        self, unit: str, total: float | Callable[[], float] | None = None, first: int = 0, quiet: bool = False, bar: bool = True
    ) -> None:
        self.unit, self.first, self.quiet = unit, first, quiet
        self.bar = bar and not quiet and sys.stderr.isatty()
        self._total = total
        self._began = self._told = time.monotonic()
        self._drawn = False

    def at(self, done: int, values: str = "", head: str = "", now: bool = False) -> None:
        """So much is done; said when it is time to. `head` and `values` stand before and after."""
        time_ = time.monotonic()
        if self.quiet or (not now and time_ - self._told < (REDRAW_S if self.bar else EVERY_S)):
            return
        self._told = time_
        if callable(self._total):
            self._total = self._total()
        total = int(self._total) if self._total is not None and 0 < self._total < math.inf else None
        text = "  ".join(part for part in (head, *self._parts(done, total, time_ - self._began), values) if part)
        if self.bar:
            filled = min(WIDTH, int(WIDTH * done / total)) if total else 0
            drawing = f"[{'#' * filled}{'.' * (WIDTH - filled)}] " if total else ""
            sys.stderr.write(f"\r\x1b[K{drawing}{text}")
            self._drawn = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def _parts(self, done: int, total: int | None, seconds: float) -> list[str]:
        parts = [f"{self.unit} {done}/{total}" if total else f"{self.unit} {done}"]
        if done <= self.first or seconds <= 0:
            return [*parts, f"{_clock(seconds)} so far"]
        rate = (done - self.first) / seconds
        parts.append(f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f} a minute")
        return [*parts, f"{_clock(max(0, total - done) / rate)} left"] if total else parts

    def clear(self) -> None:
        """Take the bar away, so that another line can be written."""
        self._end("\r\x1b[K")

    def leave(self) -> None:
        """Let the bar stand as it is, and begin a new line."""
        self._end("\n")

    def _end(self, how: str) -> None:
        if self._drawn:
            self._drawn = False
            sys.stderr.write(how)
            sys.stderr.flush()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
