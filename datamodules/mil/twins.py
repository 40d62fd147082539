"""Identical bags in one set: the same answer is trained on and asked for, or two answers are asked of one thing."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.mil.bags import ArrayBags, Source
from datamodules.mil.feature_files import FeatureFiles
from datamodules.whole import sha256

__all__ = ["twin_note", "twins"]

PIECE = 4096  # bytes; files of one size that differ do so nearly always in one of three pieces, so that few are read whole


def twins(source: Source) -> list[list[int]]:
    """Groups of bags with the same content, in order. Of bags in files: of files with the same bytes, found without reading all."""
    if isinstance(source, FeatureFiles):
        rows = _alike([path.stat().st_size for path in source.paths])
        rows = [group for one in rows for group in _alike([_pieces(source.paths[i]) for i in one], one)]
        return sorted(group for one in rows for group in _alike([sha256(source.paths[i]) for i in one], one))
    assert isinstance(source, ArrayBags)
    return _alike([hashlib.sha256(source.read(i).tobytes()).digest() for i in range(len(source))])


def twin_note(groups: Sequence[Sequence[int]], labels: np.ndarray, sides: np.ndarray) -> list[str]:
    """sides: (B,) or (R,B), where each bag is tested: a group that is parted is trained on and tested."""
    if not groups:
        return []
    torn = sum(len(set(labels[list(group)].tolist())) > 1 for group in groups)
    parted = sum(any(len(set(row[list(group)].tolist())) > 1 for row in np.atleast_2d(sides)) for group in groups)
    bags = sum(map(len, groups))
    some = f"{len(groups)} groups of identical bags ({bags} bags), {torn} under several labels, {parted} on several sides of a split"
    return [some + (": what is tested there was trained on" if parted else "")]


def _alike(keys: Sequence[object], rows: Sequence[int] | None = None) -> list[list[int]]:
    found: dict[object, list[int]] = defaultdict(list)
    for row, key in zip(rows if rows is not None else range(len(keys)), keys, strict=True):
        found[key].append(row)
    return [group for group in found.values() if len(group) > 1]


def _pieces(path: Path) -> bytes:
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - PIECE)):
            file.seek(place)
            digest.update(file.read(PIECE))
    return digest.digest()
