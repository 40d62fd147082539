"""Made data, kept under a name that is the hash of what it was made from."""

import hashlib
import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from datamodules.whole import write_whole

__all__ = ["cached"]

IN_MEMORY = 3  # one set's training, validation and test
_made: OrderedDict[str, dict[str, np.ndarray]] = OrderedDict()


def cached(folder: str | Path | None, name: str, parameters: dict, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """`make()`, or its arrays from an earlier call with the same parameters; a damaged file is made again.

    The parameters must contain everything that the arrays depend on, a version of the code that makes them included.
    `folder=None` writes nothing: the last few stay in memory, for a process that trains, tests and exports. Nobody writes to them.
    """
    key = f"{name}-{hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]}"
    if folder is None:
        if key not in _made:
            _made[key] = make()
        _made.move_to_end(key)
        while len(_made) > IN_MEMORY:
            _made.popitem(last=False)
        return dict(_made[key])
    path = Path(folder) / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there, or cut short: made anew below, and written whole over it
    arrays = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return arrays
