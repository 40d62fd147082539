"""Hugging Face's folder of pictures: `metadata.jsonl`, rows with `file_name` and `text`."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import json_of, lines
from datamodules.store import FolderStore

__all__ = ["is_hf", "read_hf"]


def is_hf(path: Path) -> bool:
    return (path / "metadata.jsonl").is_file()


def read_hf(path: Path) -> Table:
    index, name = path / "metadata.jsonl", path.resolve().name
    collected = Collector("hf", path, FolderStore(path))
    for number, line in lines(index):
        row, where = json_of(line, f"{index}:{number}"), f"{index}:{number}"
        if not isinstance(row, dict):
            raise DataError(f"{where}: not an object with file_name and text")
        file, label = row.get("file_name"), row.get("text", row.get("label"))
        if not isinstance(file, str) or not isinstance(label, str):
            collected.problem(f"{where}: no file_name or no text; complete the row")
        else:
            collected.add(file, label, split_of(*reversed(Path(file).parts[:-1]), name), name, where)
    return collected.table
