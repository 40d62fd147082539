"""CIFAR-10 and CIFAR-100 as distributed: batches of Python pickles, read without running anything, or of plain bytes."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.pickles import read_pickle

__all__ = ["Batch", "BatchStore", "batches_of", "is_batches"]

SIDE = 32
PIXELS = 3 * SIDE * SIDE
# (part, pattern of its files), by the file with the names of the classes
FORMS = {
    "batches.meta": (("train", r"data_batch_\d+"), ("test", "test_batch")),
    "meta": (("train", "train"), ("test", "test")),
    "batches.meta.txt": (("train", r"data_batch_\d+\.bin"), ("test", r"test_batch\.bin")),
    "fine_label_names.txt": (("train", r"train\.bin"), ("test", r"test\.bin")),
}


class Batch(NamedTuple):
    part: str
    pixels: np.ndarray  # uint8 (N,3072): red, green, blue, each row by row
    labels: list[str]


class BatchStore:
    """Pictures of batches as PNG: `data_batch_1/17`."""

    def __init__(self, root: Path, batches: dict[str, Batch]):
        self.root, self.batches = root, batches

    def __contains__(self, name: str) -> bool:
        batch, _, number = name.partition("/")
        return batch in self.batches and number.isdigit() and int(number) < len(self.batches[batch].pixels)

    def where(self, name: str) -> str:
        batch, _, number = name.partition("/")
        return f"{self.root / batch}:{number}"

    def read(self, name: str) -> bytes:
        batch, _, number = name.partition("/")
        rgb = self.batches[batch].pixels[int(number)].reshape(3, SIDE, SIDE)
        return cv2.imencode(".png", np.ascontiguousarray(rgb[::-1].transpose(1, 2, 0)))[1].tobytes()

    def mark(self, name: str) -> str:
        batch, _, number = name.partition("/")
        return f"{number} {(self.root / batch).stat().st_mtime_ns}"


def is_batches(path: Path) -> bool:
    return _form(path) is not None


def batches_of(path: Path) -> dict[str, Batch]:
    """By the names of their files."""
    form = _form(path)
    assert form is not None
    names = _class_names(path / form)
    found = {}
    for part, files in _parts(path, form).items():
        for file in files:
            pixels, numbers = _plain(file, form) if form.endswith(".txt") else _pickled(file)
            if wrong := [number for number in numbers if not 0 <= number < len(names)]:
                raise DataError(f"{file}: label {wrong[0]}, but {form} names {len(names)} classes; fetch the set again")
            found[file.name] = Batch(part, pixels, [names[number] for number in numbers])
    return found


def _form(path: Path) -> str | None:
    return next((form for form in FORMS if (path / form).is_file() and all(_parts(path, form).values())), None)


def _parts(path: Path, form: str) -> dict[str, list[Path]]:
    files = sorted(path.iterdir())
    return {part: [file for file in files if re.fullmatch(pattern, file.name)] for part, pattern in FORMS[form]}


def _class_names(file: Path) -> list[str]:
    if file.suffix == ".txt":
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    content = _dict(file)
    names = content.get("label_names", content.get("fine_label_names"))
    if not isinstance(names, list):
        raise DataError(f"{file}: no names of classes in it; fetch the set again")
    return [str(name) for name in names]


def _pickled(file: Path) -> tuple[np.ndarray, list[int]]:
    content = _dict(file)
    pixels, labels = content.get("data"), content.get("labels", content.get("fine_labels"))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"{file}: no data of {PIXELS} bytes a picture; fetch the set again")
    if isinstance(labels, list) and len(labels) == len(pixels) and all(isinstance(label, int) for label in labels):
        return pixels, labels
    raise DataError(f"{file}: no label for each of its pictures; fetch the set again")


def _dict(file: Path) -> dict[str, Any]:
    content = read_pickle(file)
    if not isinstance(content, dict):
        raise DataError(f"{file}: no dict; fetch the set again")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in content.items()}


def _plain(file: Path, form: str) -> tuple[np.ndarray, list[int]]:
    before = 1 if form == "batches.meta.txt" else 2  # CIFAR-100 writes the coarse label first
    data = np.frombuffer(file.read_bytes(), np.uint8)
    if not len(data) or len(data) % (before + PIXELS):
        raise DataError(f"{file}: {len(data)} bytes are no whole pictures of {before + PIXELS}; fetch the set again")
    rows = data.reshape(-1, before + PIXELS)
    return rows[:, before:], rows[:, before - 1].tolist()
