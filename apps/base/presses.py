"""The first Ctrl-C and the second one told apart from an echo: what wraps the command may pass on a signal that the whole group got."""

import time

__all__ = ["Presses"]

ECHO = 0.3  # seconds; ours: a launcher's echo comes within milliseconds, and nobody means two presses that are so near


class Presses:
    def __init__(self) -> None:
        self._first: float | None = None

    def again(self) -> bool:
        """Called at every signal. True: this one was meant as the second."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
        return now - self._first > ECHO
