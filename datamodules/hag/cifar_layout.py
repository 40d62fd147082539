"""Small pictures with labels, for the general claim that gates regularise: folders train/<class>/*, test/<class>/* (and val/) of any
classes, CIFAR as distributed, or train.npz and test.npz of JPEG bytes.
"""

import zipfile
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.hag.cifar_batches import BatchStore, batches_of, is_batches
from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore, Store

__all__ = ["PackedStore", "is_cifar", "read_cifar"]

PARTS = ("train", "test")
ARRAYS = {"jpeg", "offsets", "labels", "classes"}
PICTURES = (".png", ".jpg", ".jpeg")


class PackedStore:
    """Pictures end to end in one array a part: `train/17`."""

    def __init__(self, files: dict[str, Path], packed: dict[str, tuple[np.ndarray, np.ndarray]]):
        self.files, self.packed = files, packed

    def _place(self, name: str) -> tuple[str, int]:
        part, _, number = name.partition("/")
        return part, int(number)

    def __contains__(self, name: str) -> bool:
        part, _, number = name.partition("/")
        return part in self.packed and number.isdigit() and int(number) < len(self.packed[part][1]) - 1

    def where(self, name: str) -> str:
        part, number = self._place(name)
        return f"{self.files[part]}:{number}"

    def read(self, name: str) -> bytes:
        part, number = self._place(name)
        data, offsets = self.packed[part]
        return data[int(offsets[number]) : int(offsets[number + 1])].tobytes()

    def mark(self, name: str) -> str:
        part, number = self._place(name)
        offsets = self.packed[part][1]
        return f"{offsets[number + 1] - offsets[number]} {self.files[part].stat().st_mtime_ns}"


def is_cifar(path: Path) -> bool:
    if all((path / f"{part}.npz").is_file() for part in PARTS):
        return all(set(_names(path / f"{part}.npz")) >= ARRAYS for part in PARTS)
    return is_batches(path) or all(_classes(path / part) for part in PARTS)


def read_cifar(path: Path) -> PolypTable:
    """Every picture is a thing of its own, without box and mm; the label is its class."""
    rows: list[PolypFrame] = []
    if (path / f"{PARTS[0]}.npz").is_file():
        files = {part: path / f"{part}.npz" for part in PARTS}
        packed: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for part, file in files.items():
            arrays = _arrays(file)
            packed[part] = arrays["jpeg"], arrays["offsets"]
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in arrays["classes"]]
            for number, label in enumerate(arrays["labels"].tolist()):
                if not label < len(names):
                    raise DataError(f"{file}: picture {number} has the label {label}, but there are {len(names)} classes")
                rows.append(_row(f"{part}/{number}", names[label], part))
        store: Store = PackedStore(files, packed)
    elif is_batches(path):
        batches = batches_of(path)
        store = BatchStore(path, batches)
        for name, batch in batches.items():
            rows += [_row(f"{name}/{number}", label, batch.part) for number, label in enumerate(batch.labels)]
    else:
        store = FolderStore(path)
        for part in (*PARTS, "val"):
            for folder in _classes(path / part):
                found = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in PICTURES)
                rows += [_row(f"{part}/{folder.name}/{name}", folder.name, part) for name in found]
        learned = {row.label for row in rows if row.split == "train"}
        if strange := sorted({row.label for row in rows} - learned):
            raise DataError(f"{path}: nobody of class {strange[0]!r} is in train/; add pictures there, or remove the class")
    return assemble("cifar", str(path), store, rows)


def _classes(folder: Path) -> list[Path]:
    """Folders with pictures in them."""
    if not folder.is_dir():
        return []
    return [item for item in sorted(folder.iterdir()) if item.is_dir() and any(file.suffix.lower() in PICTURES for file in item.iterdir())]


def _row(file: str, label: str, split: str) -> PolypFrame:
    return PolypFrame(file, file, file, file, label=label, split=split)


def _names(file: Path) -> list[str]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return list(arrays.files)
    except (OSError, ValueError, zipfile.BadZipFile):
        return []


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ARRAYS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: not readable ({error}); fetch it again") from None
    offsets = found["offsets"]
    if len(offsets) != len(found["labels"]) + 1 or (np.diff(offsets) < 0).any() or offsets[0] < 0 or offsets[-1] > len(found["jpeg"]):
        raise DataError(f"{file}: offsets, labels and jpeg do not fit together; fetch it again")
    return found
