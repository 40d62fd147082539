"""Where words lie besides folders and archives: in an LMDB of the field, and in several places at once."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.otsnet.lmdb_file import LmdbFile
from datamodules.store import Store

__all__ = ["JoinedStore", "LmdbStore"]


class LmdbStore:
    """Names are the keys, `image-000000001` the first."""

    def __init__(self, path: Path):
        self.file = LmdbFile(path)

    def __contains__(self, name: str) -> bool:
        return self.file.size(name.encode()) is not None

    def where(self, name: str) -> str:
        return f"{self.file.path}:{name}"

    def read(self, name: str) -> bytes:
        data = self.file.get(name.encode())
        if data is None:
            raise DataError(f"{self.where(name)}: no such key; write the database anew or leave the word out")
        return data

    def mark(self, name: str) -> str:
        """The size of a value and the file's time."""
        return f"{self.file.size(name.encode())} {self.file.path.stat().st_mtime_ns}"


class JoinedStore:
    """Several stores, each under a name of its own: `svt/train:0001.jpg` is `0001.jpg` of `svt/train`."""

    def __init__(self, stores: dict[str, Store]):
        self.stores = stores

    def __contains__(self, name: str) -> bool:
        place, _, file = name.partition(":")
        return place in self.stores and file in self.stores[place]

    def where(self, name: str) -> str:
        store, file = self._split(name)
        return store.where(file)

    def read(self, name: str) -> bytes:
        store, file = self._split(name)
        return store.read(file)

    def mark(self, name: str) -> str:
        store, file = self._split(name)
        return store.mark(file)

    def _split(self, name: str) -> tuple[Store, str]:
        place, _, file = name.partition(":")
        return self.stores[place], file
