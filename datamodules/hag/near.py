"""Frames that are near-copies of each other: of one polyp within a second, or one picture filed twice."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from datamodules.checks import near_copies, thumbnail
from datamodules.errors import DataError
from datamodules.hag.table import PolypTable
from datamodules.look import READERS
from datamodules.pictures import decode
from datamodules.store import Store

__all__ = ["ALIKE", "components", "with_near_groups"]

ALIKE = 0.93  # correlation of 16 x 16 grey thumbnails from which on two frames of Kvasir-SEG are of one scene


def with_near_groups(table: PolypTable, alike: float = ALIKE) -> PolypTable:
    """Groups of frames that correlate so much, directly or through others. Frames that cannot be read stay alone."""
    files = list(dict.fromkeys(record.file for record in table.records))
    with ThreadPoolExecutor(READERS) as pool:
        small = list(pool.map(lambda file: _thumbnail(table.store, file), files))
    seen = [at for at, look in enumerate(small) if look is not None]
    if not seen:
        return table
    pairs = near_copies(np.stack([look for look in small if look is not None]), alike)
    home = components(len(files), [(seen[i], seen[j]) for i, j, _ in pairs])
    counts = np.bincount(home, minlength=len(files))
    group = {file: f"near-{files[home[at]]}" for at, file in enumerate(files) if counts[home[at]] > 1}
    records = [record._replace(group=group.get(record.file, record.group)) for record in table.records]
    note = f"{len(pairs)} pairs of near-copies (16 x 16 grey thumbnails that correlate at least {alike:g}), kept on one side of any split"
    return replace(table, records=records, notes=[*table.notes, note] if pairs else table.notes)


def components(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """int64 (count,): the least of all that each is joined with, directly or through others.

    >>> components(4, [(0, 2), (2, 3)])
    array([0, 1, 0, 0])
    """
    home = np.arange(count)

    def root(at: int) -> int:
        while home[at] != at:
            home[at] = home[home[at]]
            at = int(home[at])
        return at

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        home[high] = low
    return np.array([root(at) for at in range(count)], np.int64).reshape(count)


def _thumbnail(store: Store, file: str) -> np.ndarray | None:
    try:
        return thumbnail(decode(store.read(file), store.where(file)))
    except DataError:
        return None  # what is broken is said where the set is read
