"""A lock between processes that a dead holder cannot keep: the kernel drops it with the process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["held"]


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """True while the lock is ours, False when another holds it. The file stays: removing it would let two holders in.

    >>> with held(folder / "sending.lock") as mine:
    ...     if mine: ...
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        mine = _try(handle)
        if mine:
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())  # for people who look
        try:
            yield mine
        finally:
            if mine:
                _release(handle)
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _release(handle: int) -> None:
    """Said aloud: a forked data worker has a copy of the handle, and closing ours alone would leave the lock to it."""
    if os.name == "nt":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)
