"""Work that ends when the clock says so, whatever it is doing: it runs in a thread, and the caller's thread watches the clock."""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from apps.accord.solver.clock import Clock
from apps.accord.solver.interrupt import Stop
from apps.base.leaving import abandoned

__all__ = ["Abandoned", "watched"]

FIRST = 0.15  # seconds after the limit that a first answer is waited for: rules need milliseconds, and an answer is worth them
GRACE = 0.03  # seconds: a method that keeps its deadline has ended by then
LOOK = 0.05  # seconds between two looks; Python runs signal handlers then


class Abandoned(BaseException):
    """Raised inside the work that is no longer waited for. Not an Exception: nothing in between may swallow it."""


def watched(work: Callable[[], None], clock: Clock, stop: Stop | None, answered: Callable[[], bool]) -> None:
    """Returns when the work has ended, the limit has passed or stop was asked; what the work raises is raised here.

    ours: solvers in C do not look at Python's signals, and a step of search may be long; so the incumbent is kept outside of the thread.
    """
    ended, raised = threading.Event(), []

    def run() -> None:
        try:
            work()
        except Abandoned:
            pass
        except BaseException as error:
            raised.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=run, name="accord", daemon=True)
    thread.start()
    while not ended.is_set():
        left = clock.left()
        if left <= 0 or stop:
            break
        ended.wait(min(LOOK, max(left, 0.001)))
    last = time.monotonic() + FIRST
    while not answered() and time.monotonic() < last and not ended.wait(0.005):
        pass
    if not ended.wait(GRACE):
        _abandon(thread)
    elif raised:
        raise raised[0]


def _abandon(thread: threading.Thread) -> None:
    """It ends at its next step of Python; a call into C that it is in runs to its own end, which its deadline has set.

    A package whose import is cut in two cannot be imported again: there the thread is left to its own deadline.
    """
    abandoned.add(thread)
    frame = None if thread.ident is None else sys._current_frames().get(thread.ident)
    if thread.ident is not None and frame is not None and not _importing(frame):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Abandoned))


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
