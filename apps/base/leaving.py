"""The end of the process, also with a thread at work that is no longer waited for."""

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn
from weakref import WeakSet

__all__ = ["abandoned", "leave"]

abandoned = WeakSet[threading.Thread]()  # whoever stops waiting for a thread puts it here


def leave(code: int) -> NoReturn:
    """Python taken down under a thread that is inside C++ ends in an abort, after all is said: then it is not taken down."""
    if any(thread.is_alive() for thread in abandoned):
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
