"""What `discern predict` asks an exported solver: instances, each as the row of integers that its `forward` takes."""

import os
from pathlib import Path

from torch import Tensor

from apps.accord.integers import row_of
from apps.base.errors import UserError
from datamodules.accord.formats import read
from datamodules.accord.formats.format import Options
from datamodules.accord.formats.reading import is_aside, read_source
from datamodules.accord.formats.source import sources
from datamodules.errors import DataError

__all__ = ["expand", "read_row"]


def expand(word: str) -> list[str] | None:
    """A file, folder or archive of several instances, one by one; None where the word is one itself, or nothing that is there.

    What cannot be read stands for itself: it is a row with its error, and the others are answered.
    """
    path = Path(word)
    if "#" in word or not path.exists():
        return None
    try:
        held = list(sources(path))
    except DataError:  # a damaged archive
        return None
    found = []
    for source in held:
        try:
            if source.where != word and is_aside(source):
                continue
            count = len(read_source(source, Options()))
        except DataError:
            count = 1
        found += [source.where] if count == 1 else [f"{source.where}#{number}" for number in range(1, count + 1)]
    return None if found == [word] else found


def read_row(word: str | os.PathLike[str]) -> Tensor:
    found = read(os.fspath(word))
    if len(found) != 1:
        raise UserError(f"{word} holds {len(found)} instances; name one of them: {word}#1")
    return row_of(found[0])
