"""How far many pieces of work have come: a bar with rate and time left on a terminal, a line every 30 s elsewhere."""

import sys
import time

from apps.base.shell import Shell

__all__ = ["Progress"]

PATIENCE = 30.0  # seconds between two lines where there is no terminal


class Progress:
    """
    >>> progress = Progress(total=30, unit="trainings", shell=shell)
    >>> progress.add(failed=False)
    >>> progress.close()
    """

    def __init__(self, total: int, unit: str, shell: Shell) -> None:
        self.total, self.unit, self.shell = total, unit, shell
        self.done = self.failed = 0
        self.began = self.told = time.monotonic()
        self.bar = sys.stderr.isatty() and not shell.quiet

    def add(self, failed: bool, complaint: str | None = None) -> None:
        """One more is done; `complaint` is a line of its own."""
        self.done += 1
        self.failed += failed
        if complaint is not None:
            self._clear()
            self.shell.complain(complaint)
        now = time.monotonic()
        rate = self.done / max(now - self.began, 1e-9)
        left = (self.total - self.done) / rate
        text = f"{self.done}/{self.total} {self.unit}, {rate * 60:.1f} a minute, {left / 60:.1f} min left, {self.failed} failed"
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
