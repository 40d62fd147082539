"""Splits by scaffold: molecules with one ring system are in one split, so that the test asks about chemistry that training has not seen."""

from collections import defaultdict
from collections.abc import Sequence

__all__ = ["scaffold_split"]

SHARES = {"train": 0.8, "val": 0.1}  # the rest is test, as the public molecule benchmarks have it


def scaffold_split(scaffolds: Sequence[str]) -> dict[str, list[int]]:
    """Largest groups first, ties in the order of the file, each to the first of train, val and test that still has room; so the same
    molecules are always split alike. A split that is empty takes a group of any size."""
    groups = defaultdict(list)
    for row, name in enumerate(scaffolds):
        groups[name].append(row)
    rows: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for group in sorted(groups.values(), key=lambda group: (-len(group), group[0])):
        room = (split for split, share in SHARES.items() if not rows[split] or len(rows[split]) + len(group) <= share * len(scaffolds))
        rows[next(room, "test")] += group
    return {split: sorted(own) for split, own in rows.items()}
