"""How far many pieces of work have come."""

import threading

from apps.base.progress import EVERY_S, Line
from apps.base.shell import Shell

__all__ = ["Progress"]


class Progress:
    """
    >>> with Progress(total=30, unit="trainings", shell=shell) as progress:
    ...     progress.add(failed=False)

    Within the block it also speaks while no piece ends: one may take hours.
    """

    def __init__(self, total: int, unit: str, shell: Shell) -> None:
        self.shell = shell
        self.done = self.failed = 0
        self._line = Line(unit, total, quiet=shell.quiet)
        self._one = threading.Lock()  # writes at a time
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def add(self, failed: bool, complaint: str | None = None) -> None:
        """One more is done; `complaint` is a line of its own."""
        with self._one:
            self.done += 1
            self.failed += failed
            if complaint is not None:
                self._line.clear()
                self.shell.complain(complaint)
            self._say()

    def close(self) -> None:
        self._ended.set()
        with self._one:
            self._line.clear()

    def __enter__(self) -> "Progress":
        if not self.shell.quiet:
            self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tick(self) -> None:
        while not self._ended.wait(1.0 if self._line.bar else EVERY_S):
            with self._one:
                if not self._ended.is_set():
                    self._say()

    def _say(self) -> None:
        self._line.at(self.done, f"{self.failed} failed" if self.failed else "")
