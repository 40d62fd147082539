"""Where the images of LFW lie: in folders of people, in a tar of them, or in one .npz with all files one after another."""

import re
import zipfile
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.store import FolderStore, Store, TarStore

__all__ = ["NpzFaces", "find_images"]

IMAGE = re.compile(r"(?:^|/)([^/]+)/\1_(\d{4,})\.(?:jpe?g|png|webp)$", re.IGNORECASE)
KEYS = {"data", "offsets", "name", "number"}


class NpzFaces:
    """`data` uint8: all files; `offsets` int64 (n+1,): where each begins; `name`, `number` (n,): whose image of which number it is."""

    def __init__(self, path: Path):
        self.path = path
        self._arrays: dict[str, np.ndarray] | None = None
        arrays = self._load()
        offsets, names, numbers = arrays["offsets"], arrays["name"], arrays["number"]
        fits = offsets.ndim == names.ndim == numbers.ndim == 1 and len(offsets) == len(names) + 1 == len(numbers) + 1
        if not fits or offsets[0] != 0 or (np.diff(offsets) < 0).any() or offsets[-1] != len(arrays["data"]):
            raise DataError(f"{path}: its offsets, names and numbers do not hang together; fetch it again")
        people = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names.tolist()]
        files = [f"{person}/{person}_{number:04}.webp" for person, number in zip(people, numbers.tolist(), strict=True)]
        self.at = {file: row for row, file in enumerate(files)}
        self.offsets = offsets
        self.time = path.stat().st_mtime_ns

    def __contains__(self, name: str) -> bool:
        return name in self.at

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def read(self, name: str) -> bytes:
        row = self.at[name]
        return self._load()["data"][self.offsets[row] : self.offsets[row + 1]].tobytes()

    def mark(self, name: str) -> str:
        row = self.at[name]
        return f"{self.offsets[row + 1] - self.offsets[row]} {self.time}"

    def _load(self) -> dict[str, np.ndarray]:
        if self._arrays is None:
            try:
                with np.load(self.path, allow_pickle=False) as arrays:
                    self._arrays = {key: arrays[key] for key in KEYS & set(arrays.files)}
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                raise DataError(f"{self.path}: damaged ({error}); fetch it again") from None
            if lacking := KEYS - set(self._arrays):
                raise DataError(f"{self.path}: no array {min(lacking)!r}; it holds no faces of this kind")
        return self._arrays

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_arrays": None}  # every process reads its own


def find_images(root: Path) -> tuple[Store, dict[tuple[str, int], str]]:
    """(store, (person, number) -> file). root: a folder, or a tar."""
    if root.is_file():
        store = TarStore(root)
        return store, _named(list(store.tar.members))
    for file in sorted(root.glob("*.npz")):
        if _is_npz(file):
            npz = NpzFaces(file)
            return npz, _named(list(npz.at))
    found = _named([file.relative_to(root).as_posix() for file in sorted(root.rglob("*_[0-9]*.*")) if file.is_file()])
    if found:
        return FolderStore(root), found
    for file in sorted(root.glob("*.tar")):
        tar = TarStore(file)
        if found := _named(list(tar.tar.members)):
            return tar, found
    raise DataError(f"{root}: lists of pairs, but no images <Name>/<Name>_0001.jpg; unpack them beside the lists")


def _named(files: list[str]) -> dict[tuple[str, int], str]:
    return {(match[1], int(match[2])): file for file in files if (match := IMAGE.search(file))}


def _is_npz(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as packed:
            return {f"{key}.npy" for key in KEYS} <= set(packed.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
