"""What went wrong as one line with its remedy, and the exit code; known by its kind and words alone, so that nothing heavy is imported."""

import errno

from apps.base.errors import FailureError, UserError

__all__ = ["explained"]

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
FAILED, MISTAKE, BUG = FailureError.exit_code, UserError.exit_code, 70


def explained(error: Exception) -> tuple[str, int]:
    """
    >>> explained(FailureError("the store is gone;  start it"))
    ('the store is gone; start it', 1)
    """
    said = " ".join(str(error).split())
    code = getattr(error, "exit_code", None)
    if code is not None:
        return said, code
    known = _of_files(error) if isinstance(error, OSError) else _of_machine(error, said)
    if known is not None:
        return known
    return f"a bug of ours: {type(error).__name__}: {said} (run it again with --debug and report what it prints)", BUG


def _of_files(error: OSError) -> tuple[str, int] | None:
    if error.errno in FULL:
        return f"the disk is full{f': {error.filename}' if error.filename else ''}; make room and try again", FAILED
    if error.errno in NO_NAME:
        return f"{_short(error.filename)}: {error.strerror}; name another", MISTAKE
    if error.errno in NO_RIGHT and error.filename:
        return f"{error.filename}: {error.strerror}; name another place or ask for the right to it", FAILED
    return None


def _of_machine(error: Exception, said: str) -> tuple[str, int] | None:
    """torch has no common class for these; what it says has stayed the same."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in said:
        return f"out of memory{f': {said[:120]}' if said else ''}; try a smaller data.batch_size, model or input", FAILED
    if said.startswith("DataLoader worker"):
        return f"{said.rstrip('. ')}: most likely out of memory; try fewer data.workers, or 0 to see its own words", FAILED
    if said.startswith("Expected more than 1 value per channel"):
        return "the network's norms need more than one sample in each training batch; set data.batch_size to 2 or more", FAILED
    return None


def _short(name: object) -> str:
    text = str(name)
    return text if len(text) <= 80 else f"{text[:60]}..."
