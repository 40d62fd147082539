"""A gallery as bytes: a safetensors file, so that no pickle is read, in the clear or with one sealed tensor that holds such a file.

`vectors` (N,E) float32, `entries` (JSON), `pictures` and `ends`: kept pictures one after the other and where each ends. The header in the
clear says format, model, aligner, and how it is sealed; names are within the sealed part.
"""

import contextlib
import gc
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from apps.ahan.gallery.entry import Entry
from apps.ahan.gallery.errors import GalleryLocked
from apps.ahan.gallery.people import People
from apps.ahan.gallery.seal import Seal
from apps.base.errors import UserError

__all__ = ["FORMAT", "about_seal", "plain_bytes", "read_people", "write_people"]

FORMAT = "discern-faces-1"


def write_people(people: People, seal: Seal | None) -> bytes:
    header = {"format": FORMAT, "model": people.model, "aligner": people.aligner}
    if seal is None:
        return save(_tensors(people), metadata=header)
    sealed, about = seal.close(save(_tensors(people)), header)
    return save({"sealed": np.frombuffer(sealed, np.uint8)}, metadata={**header, "seal": json.dumps(about, sort_keys=True)})


def read_people(data: bytes, seal: Seal | None, where: str) -> People:
    header = _header(data, where)
    data = plain_bytes(data, seal, where)
    try:
        tensors = load(data)
        with _uncollected():
            people = _people(header, tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, UserError, RecursionError):
        raise UserError(f"{where}: the gallery's templates and names do not belong together; restore it from a backup") from None
    return people


def about_seal(data: bytes, where: str) -> dict[str, Any] | None:
    """How it is sealed; None: in the clear."""
    text = _header(data, where).get("seal")
    if text is None:
        return None
    try:
        about = json.loads(text)
        if not isinstance(about, dict):
            raise ValueError
    except ValueError:
        raise GalleryLocked(f"{where}: its header says nothing usable about its seal; restore it from a backup") from None
    return about


def plain_bytes(data: bytes, seal: Seal | None, where: str) -> bytes:
    """What lies in the file, the seal taken off."""
    about = about_seal(data, where)
    if about is None:
        return data
    if seal is None:
        raise GalleryLocked(f"{where} is sealed: give --key FILE, env:NAME or prompt")
    header = {name: value for name, value in _header(data, where).items() if name != "seal"}
    try:
        sealed = load(data)["sealed"].tobytes()
    except (SafetensorError, KeyError):
        raise GalleryLocked(f"{where}: its sealed part is not whole; restore it from a backup") from None
    return seal.open(sealed, header, about, where)


def _header(data: bytes, where: str) -> dict[str, str]:
    """The metadata at the head of a safetensors file: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])["__metadata__"]
    except (ValueError, KeyError, TypeError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT or not {"model", "aligner"} <= set(header):
        raise UserError(f"{where}: not a gallery of this version ({FORMAT}), or cut short; restore it, or enrol anew")
    return header


def _tensors(people: People) -> dict[str, np.ndarray]:
    texts = json.dumps([entry.plain() for entry in people.entries], ensure_ascii=False).encode()
    files = [file for entry in people.entries for file in people.pictures.get(entry.id, ())]
    ends = np.cumsum([len(file) for file in files]).astype(np.int64).reshape(-1)
    return {
        "vectors": np.ascontiguousarray(people.vectors),
        "entries": np.frombuffer(texts, np.uint8),
        "pictures": np.frombuffer(b"".join(files), np.uint8),
        "ends": ends,
    }


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A hundred thousand entries hold no cycle, and looking through them for one again and again is half of the time of reading them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _people(header: dict[str, str], tensors: dict[str, np.ndarray]) -> People:
    """The parts of a file must agree; what does not is refused rather than answered with the wrong name."""
    vectors, ends = tensors["vectors"], tensors["ends"]
    entries = tuple(Entry.read(found) for found in json.loads(tensors["entries"].tobytes()))
    whole = vectors.ndim == 2 and vectors.dtype == np.float32 and len(vectors) == len(entries)
    if not whole or len({entry.id for entry in entries}) < len(entries) or not np.isfinite(vectors).all():
        raise ValueError("vectors and entries disagree")
    if len(entries) and np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3:
        raise ValueError("a template is not of length 1")
    data = tensors["pictures"].tobytes()
    bounds = [0, *ends.tolist()]
    if sum(entry.pictures for entry in entries) != len(ends) or bounds[-1] != len(data) or sorted(bounds) != bounds:
        raise ValueError("pictures and entries disagree")
    files = iter(data[start:end] for start, end in itertools.pairwise(bounds))
    pictures = {entry.id: tuple(next(files) for _ in range(entry.pictures)) for entry in entries if entry.pictures}
    return People(header["model"], header["aligner"], vectors, entries, pictures)
