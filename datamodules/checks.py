"""What can be wrong with a set of files, as pure functions, and the report that `discern data check` prints."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Report", "copies", "digest", "lonely", "near_copies", "shorten", "thumbnail", "unequal"]


@dataclass
class Report:
    """The answer of a layout's check. `problems` make the check fail; `notes` are facts worth knowing."""

    format: str
    source: str
    counts: dict[str, int]  # by split
    classes: int
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""
    unit: str = "classes"  # what `classes` counts
    recipe: str = "small"  # that trains on such data
    options: list[str] = field(default_factory=list)  # that the recipe needs for it
    verb: str = "fit"  # what such data is for: to train on, or a word of the application's own that is given the path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def copies(digests: Mapping[str, str]) -> list[list[str]]:
    """Groups of names with the same contents."""
    groups = defaultdict(list)
    for name, value in digests.items():
        groups[value].append(name)
    return [group for group in groups.values() if len(group) > 1]


def lonely(counts: Counter[str], at_least: int = 2) -> list[str]:
    """Classes with fewer samples than that."""
    return sorted(name for name, count in counts.items() if count < at_least)


def unequal(counts: Counter[str]) -> float:
    """Samples of the largest class for one of the smallest."""
    return max(counts.values()) / min(counts.values()) if counts else 1.0


def thumbnail(picture: np.ndarray, side: int = 16) -> np.ndarray:
    """A small grey copy of a uint8 (H,W,3) picture, of mean 0 and length 1: two of them multiply to their correlation."""
    import cv2

    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32).mean(2).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def near_copies(thumbnails: np.ndarray, threshold: float = 0.99, rows: int = 1024) -> list[tuple[int, int, float]]:
    """(i, j, correlation) with i < j of all pairs of thumbnails (n, d) that correlate at least so much, most alike first."""
    found = []
    for first in range(0, len(thumbnails), rows):
        block = thumbnails[first : first + rows] @ thumbnails[first:].T
        for i, j in np.argwhere(np.triu(block, 1) >= threshold):
            found.append((first + int(i), first + int(j), float(block[i, j])))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def shorten(names: Sequence[str], shown: int = 5) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
