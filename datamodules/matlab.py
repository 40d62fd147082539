"""MATLAB files, in which some public sets keep their lists."""

from pathlib import Path
from typing import Any

from datamodules.errors import DataError

__all__ = ["load_matlab"]

MOST = 1 << 30


def load_matlab(file: Path) -> dict[str, Any]:
    """Its variables: arrays of numbers, text and records. Nothing in such a file is run."""
    from scipy.io import loadmat

    try:
        size = file.stat().st_size
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None
    if size > MOST:
        raise DataError(f"{file}: more than {MOST >> 30} GiB; save it in parts")
    try:
        return loadmat(file, squeeze_me=True, chars_as_strings=True)
    except Exception as error:  # scipy raises many kinds over a damaged file, OSError among them
        raise DataError(f"{file}: not a readable MATLAB file ({error}); fetch it again") from None
