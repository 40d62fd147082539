"""Splits are data: decided by the name of a file and nothing else, so that they are the same everywhere and forever."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

__all__ = ["share_out"]


def share_out(names: Sequence[str], groups: Sequence[Hashable], share: float) -> set[str]:
    """A share of every group's names, picked by hash: at least one of a group of two or more, never a whole group."""
    members = defaultdict(list)
    for name, group in zip(names, groups, strict=True):
        members[group].append(name)
    taken: set[str] = set()
    for group in members.values():
        count = min(len(group) - 1, max(1, round(share * len(group))))
        taken.update(sorted(group, key=lambda name: hashlib.sha256(name.encode()).digest())[:count])
    return taken
