"""The gallery: a file of vectors that a new picture is searched in.

One safetensors file, so that no pickle is read and other programs can open it: `vectors` (N,D) in float16 or float32, rows of length 1 one
after the other (an inner-product index such as FAISS takes them as they are), `digests` (N,32), `entries` (JSON: names, cameras, labels).
It is readable by its owner only, from its first byte, and always written whole. What is deleted or forgotten is not in the new file, though
the disk may keep the old file's blocks until it uses them again, and backups are yours to clean.

Legend: N entries, D width.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from apps.base.errors import UserError
from datamodules.checks import shorten
from datamodules.whole import write_whole

__all__ = ["Entry", "Gallery", "content_digest"]

FORMAT = "discern-gallery-1"


class Entry(NamedTuple):
    name: str  # of the file, as the user gave it
    digest: str  # sha256 of the file's contents, hexadecimal
    camera: str | None = None
    label: str | None = None


def content_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Gallery:
    """
    >>> gallery = Gallery.empty(model="5d41...", width=384)
    >>> gallery = gallery.append(vectors, entries, model="5d41...")
    >>> gallery.save("yard.gallery")
    """

    model: str  # fingerprint of the model that made the vectors
    vectors: np.ndarray  # (N,D) float16 or float32, rows of length 1
    entries: tuple[Entry, ...] = ()

    @classmethod
    def empty(cls, model: str, width: int, dtype: str = "float32") -> "Gallery":
        if not model:
            raise ValueError("a gallery belongs to a model; its fingerprint is empty")
        if dtype not in ("float16", "float32"):
            raise ValueError(f"a gallery holds float16 or float32, not {dtype!r}")
        return cls(model, np.empty((0, width), dtype))

    def __len__(self) -> int:
        return len(self.entries)

    def check_model(self, model: str) -> None:
        """Vectors of two models cannot be compared: any answer would be noise."""
        if model != self.model:
            raise UserError(f"the gallery was made by model {self.model[:12]}, not by {model[:12]}: index its pictures anew with this one")

    def append(self, vectors: np.ndarray, entries: Sequence[Entry], model: str) -> "Gallery":
        """With more entries. What is there already, by name and contents, is skipped; a known name with other contents is refused."""
        self.check_model(model)
        vectors = np.asarray(vectors)
        if vectors.shape != (len(entries), self.vectors.shape[1]):
            raise ValueError(f"vectors of {vectors.shape} for {len(entries)} entries of width {self.vectors.shape[1]}")
        known = {entry.name: entry.digest for entry in self.entries}
        rows = []
        for row, entry in enumerate(entries):
            if len(entry.digest) != 64 or entry.digest.strip("0123456789abcdef"):
                raise ValueError(f"{entry.name}: digest {entry.digest!r} is not a sha256 in small hexadecimal digits")
            if entry.name not in known:
                known[entry.name] = entry.digest
                rows.append(row)
            elif known[entry.name] != entry.digest:
                raise UserError(f"{entry.name} is in the gallery with other contents; delete it first")
        added = _unit(vectors[rows], [entries[row].name for row in rows]).astype(self.vectors.dtype)
        return replace(self, vectors=np.concatenate([self.vectors, added]), entries=(*self.entries, *(entries[row] for row in rows)))

    def delete(self, names: Sequence[str]) -> "Gallery":
        """Without these names; a copy under another name stays (see forget)."""
        gone = set(names)
        if absent := sorted(gone - {entry.name for entry in self.entries}):
            raise UserError(f"not in the gallery: {shorten(absent)}; nothing was deleted")
        return self._without({row for row, entry in enumerate(self.entries) if entry.name in gone})

    def forget(self, what: str) -> "Gallery":
        """Without this picture: a name or a sha256 of contents. Copies of the same contents under other names go, too."""
        digests = {entry.digest for entry in self.entries if what in (entry.name, entry.digest)}
        if not digests:
            raise UserError(f"{what} is neither a name nor a sha256 in the gallery; nothing was forgotten")
        return self._without({row for row, entry in enumerate(self.entries) if entry.digest in digests})

    def _without(self, gone: set[int]) -> "Gallery":
        rows = [row for row in range(len(self)) if row not in gone]
        return replace(self, vectors=self.vectors[rows], entries=tuple(self.entries[row] for row in rows))

    def save(self, path: str | os.PathLike[str]) -> None:
        texts = json.dumps([[entry.name, entry.camera, entry.label] for entry in self.entries]).encode()
        digests = np.frombuffer(bytes.fromhex("".join(entry.digest for entry in self.entries)), np.uint8).reshape(-1, 32)
        tensors = {"vectors": np.ascontiguousarray(self.vectors), "digests": digests, "entries": np.frombuffer(texts, np.uint8)}
        with write_whole(path, private=True) as file:
            file.write(save(tensors, metadata={"format": FORMAT, "model": self.model}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Gallery":
        path = Path(path)
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise UserError(f"{path}: not a gallery of this version ({FORMAT}); index the pictures anew")
                vectors, digests, texts = (file.get_tensor(name) for name in ("vectors", "digests", "entries"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such gallery; make one with 'discern dcal index'") from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: not a readable gallery ({error}); restore it or index the pictures anew") from None
        return cls(metadata.get("model", ""), vectors, _entries(path, vectors, digests, texts))


def _entries(path: Path, vectors: np.ndarray, digests: np.ndarray, texts: np.ndarray) -> tuple[Entry, ...]:
    """The parts of a file must agree; what does not is refused rather than answered with the wrong name."""
    wrong = UserError(f"{path}: the gallery's vectors and names do not belong together; restore it or index the pictures anew")
    try:
        rows = json.loads(texts.tobytes())
        entries = tuple(
            Entry(name, digest.tobytes().hex(), camera, label) for (name, camera, label), digest in zip(rows, digests, strict=True)
        )
    except (ValueError, TypeError):
        raise wrong from None
    whole = vectors.ndim == 2 and vectors.dtype in (np.float16, np.float32) and len(vectors) == len(entries) and digests.shape[1:] == (32,)
    typed = all(isinstance(e.name, str) and isinstance(e.camera, str | None) and isinstance(e.label, str | None) for e in entries)
    if not whole or not typed or not np.isfinite(vectors).all():
        raise wrong
    return entries


def _unit(vectors: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Rows of length 1: an inner product is then a cosine."""
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(bad := np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))):
        raise ValueError(f"{names[bad[0]]}: its vector is zero or not finite")
    return vectors / lengths
