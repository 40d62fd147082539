"""InsightFace's packs of pairs (lfw.bin, cfp_fp.bin, agedb_30.bin): a pickle of encoded images and answers, read without running it."""

from pathlib import Path

import numpy as np

from datamodules.ahan.same_person import people_of
from datamodules.ahan.table import Face, FaceTable, Named, assemble_faces
from datamodules.errors import DataError
from datamodules.pickles import read_pickle

__all__ = ["BinStore", "is_bin", "read_bin"]

FOLDS = 10  # contiguous ones, by the habit of those who use these packs


class BinStore:
    """Images of a pack by number: 000000, 000001, ... Every process reads its own."""

    def __init__(self, path: Path):
        self.path = path
        self._images: list[bytes] | None = None
        self.same = self._load()
        self.count = len(self._images or [])
        self.time = path.stat().st_mtime_ns

    def __contains__(self, name: str) -> bool:
        return len(name) == 6 and name.isdigit() and int(name) < self.count

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def read(self, name: str) -> bytes:
        if self._images is None:
            self._load()
        assert self._images is not None
        return self._images[int(name)]

    def mark(self, name: str) -> str:
        return f"{len(self.read(name))} {self.time}"

    def _load(self) -> list[bool]:
        content = read_pickle(self.path)
        if not isinstance(content, list | tuple) or len(content) != 2 or not all(isinstance(part, list | tuple) for part in content):
            raise DataError(f"{self.path}: not a pair of lists, images and answers; fetch it again")
        images, same = content
        if len(images) != 2 * len(same) or not images:
            raise DataError(f"{self.path}: {len(images)} images for {len(same)} pairs; fetch it again")
        self._images = [self._bytes(image, number) for number, image in enumerate(images)]
        if not all(isinstance(answer, bool | int) and answer in (0, 1) for answer in same):
            raise DataError(f"{self.path}: answers that are neither true nor false; fetch it again")
        return [bool(answer) for answer in same]

    def _bytes(self, image: object, number: int) -> bytes:
        if isinstance(image, str):  # bytes that Python 2 wrote
            try:
                return image.encode("latin1")
            except UnicodeEncodeError:
                pass
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 1:
            return image.tobytes()
        if isinstance(image, bytes):
            return image
        raise DataError(f"{self.path}: image {number} is of the type {type(image).__name__}, not an encoded picture; fetch it again")

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_images": None}


def is_bin(path: Path) -> bool:
    if path.suffix != ".bin" or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(2)
    return head[:1] in (b"\x80", b"(")  # a binary pickle, or one of the oldest kind


def read_bin(path: Path) -> FaceTable:
    store = BinStore(path)
    count = len(store.same)
    pairs = [
        Named(f"{2 * at:06}", f"{2 * at + 1:06}", same, at * FOLDS // count + 1, where=f"{path}: pair {at}")
        for at, same in enumerate(store.same)
    ]
    person = people_of([(pair.first, pair.second, pair.same) for pair in pairs])
    faces = [Face(name, one, one, "test") for name, one in sorted(person.items())]
    notes = ["nobody is named: every pair is of people of its own, and all are for testing"]
    return assemble_faces("insightface-bin", str(path), store, faces, pairs, notes=notes)
