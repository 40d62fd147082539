"""What is wrong with a gallery, and what its owner should know.

Legend: N people.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from apps.ahan.gallery.people import People

__all__ = ["Finding", "audit"]

SHOWN = 20  # pairs of people who look alike
ROWS = 1024  # compared at a time


class Finding(NamedTuple):
    """what: expired, alike, twin_alone, one_image, one_day, coarse or forced. wrong: to be mended; else to be known."""

    what: str
    who: tuple[str, ...]
    words: str
    wrong: bool


def audit(people: People, threshold: float | None) -> list[Finding]:
    """threshold: of strangers, above which two of the enrolled would be taken for one another; None: nothing is calibrated."""
    return [*_each(people), *(_alike(people, threshold) if threshold is not None else ())]


def _each(people: People) -> Iterator[Finding]:
    for entry in people.entries:
        who = (entry.id,)
        if entry.expired():
            yield Finding("expired", who, f"consent ran out on {entry.expires}: not used any more; forget, or enrol anew", True)
        if people.twins(entry.id).absent:
            yield Finding("twin_alone", who, "a twin is not enrolled: the threshold of twins decides alone", False)
        if entry.images == 1:
            yield Finding("one_image", who, "the template is of one image; enrol more, of several days", False)
        elif entry.captured and len(set(entry.captured)) == 1:
            yield Finding("one_day", who, f"all images are of {entry.captured[0]}; enrol across days", False)
        if entry.coarse:
            yield Finding("coarse", who, "no image showed a pair of eyes: nothing is decided about twins; enrol anew", False)
        if entry.forced:
            yield Finding("forced", who, f"enrolled in spite of {', '.join(entry.forced)}", False)


def _alike(people: People, threshold: float) -> Iterator[Finding]:
    found: list[tuple[float, int, int]] = []
    for first in range(0, len(people), ROWS):
        scores = people.vectors[first : first + ROWS] @ people.vectors.T
        rows, others = np.nonzero(scores >= threshold)
        later = others > rows + first
        found += [(float(scores[row, other]), int(row) + first, int(other)) for row, other in zip(rows[later], others[later], strict=True)]
        found = sorted(found, reverse=True)[: SHOWN * 10]
    told = 0
    for score, one, other in found:
        pair = (people.entries[one].id, people.entries[other].id)
        if told < SHOWN and pair[1] not in people.twins(pair[0]).named:
            told += 1
            yield Finding("alike", pair, f"score {score:.3f}, {threshold:.3f} accepts: twins not declared, or one person twice", True)
