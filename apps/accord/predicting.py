"""What `discern predict` asks an exported solver: instances, each as the row of integers that its `forward` takes."""

import os
from pathlib import Path

from torch import Tensor

from apps.accord.integers import row_of
from apps.base.errors import UserError
from datamodules.accord.formats import read

__all__ = ["expand", "read_row"]


def expand(word: str) -> list[str] | None:
    """A file, folder or archive of several instances, one by one; None where the word is one itself, or nothing that is there."""
    if "#" in word or not Path(word).exists():
        return None
    count = len(read(word))
    return None if count == 1 else [f"{word}#{number}" for number in range(1, count + 1)]


def read_row(word: str | os.PathLike[str]) -> Tensor:
    found = read(os.fspath(word))
    if len(found) != 1:
        raise UserError(f"{word} holds {len(found)} instances; name one of them: {word}#1")
    return row_of(found[0])
