"""docTR's recognition sets: `labels.json` with file to text, and the pictures in `images/`."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import json_of, read_list
from datamodules.store import FolderStore

__all__ = ["is_doctr", "read_doctr"]


def is_doctr(path: Path) -> bool:
    return (path / "labels.json").is_file() and (path / "images").is_dir()


def read_doctr(path: Path) -> Table:
    index = path / "labels.json"
    labels = json_of(read_list(index), str(index))
    if not isinstance(labels, dict):
        raise DataError(f"{index}: not an object of file to text")
    collected = Collector("doctr", path, FolderStore(path / "images"))
    name = path.resolve().name
    for file, label in labels.items():
        if isinstance(label, str):
            collected.add(file, label, split_of(name), name, f"{index}:{file}")
        else:
            collected.problem(f"{index}:{file}: no text; the list of a detection set, or of pages, is not read")
    return collected.table
