"""What a layout yields: bags, and what is known of each."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.bags import Source
from datamodules.mil.feature_files import FeatureFiles
from datamodules.whole import sha256

__all__ = ["BagTable", "fingerprint", "only"]


@dataclass(frozen=True)
class BagTable:
    layout: str
    path: Path
    bags: Source
    classes: list[str]
    labels: np.ndarray  # int64 (B,)
    patients: list[str]  # of each bag
    outer: np.ndarray | None = None  # int64 (R,B), the fold in which repeat r tests a bag, where the set brings folds
    own: list[str] | None = None  # train, val or test, where the set brings a split
    known: dict[str, np.ndarray] = field(default_factory=dict)  # further numbers of each bag, as time and event
    columns: dict[str, list[str]] = field(default_factory=dict)  # the label table's other columns as they stand there
    encoder: dict[str, Any] = field(default_factory=dict)  # what the files say of the encoder
    files: list[Path] = field(default_factory=list)
    broken: list[DataError] = field(default_factory=list)  # of files that are no bags, which are left out of the table
    problems: list[str] = field(default_factory=list)  # with labels and encoders: refused when training
    notes: list[str] = field(default_factory=list)  # told


def fingerprint(table: BagTable, hash_content: bool = False) -> str:
    """Of the files' names, sizes and times; of names and contents with `hash_content`."""
    digest = hashlib.sha256()
    for path in sorted(table.files):
        stat = path.stat()
        mark = sha256(path) if hash_content else f"{stat.st_size} {stat.st_mtime_ns}"
        digest.update(f"{path.name}\0{mark}\n".encode())
    return digest.hexdigest()


def only(table: BagTable, rows: np.ndarray) -> BagTable:
    """The same set with these of its files."""
    files = table.bags
    assert isinstance(files, FeatureFiles)

    def of(values: list[Any]) -> list[Any]:
        return [values[i] for i in rows]

    return replace(
        table,
        bags=FeatureFiles(of(files.names), of(files.paths), files.width, files.tiles),
        labels=table.labels[rows],
        patients=of(table.patients),
        outer=None if table.outer is None else table.outer[:, rows],
        own=None if table.own is None else of(table.own),
        known={name: values[rows] for name, values in table.known.items()},
        columns={name: of(values) for name, values in table.columns.items()},
    )
