"""Where the installed command begins: Ctrl-C is one line already while the rest is imported."""

import os
import signal
import sys
from typing import Any, NoReturn

__all__ = ["run"]


def run() -> None:
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a job in the background ignores Ctrl-C, and goes on doing so
        signal.signal(signal.SIGINT, _leave)
    from apps.cli import main

    try:
        signal.signal(signal.SIGINT, before)
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # between the two handlers
        _leave()
    sys.exit(code)


def _leave(*_: Any) -> NoReturn:
    os.write(2, b"discern: interrupted\n")
    os._exit(130)  # nothing is begun that must be ended, and an exception here would be a half-imported module's
