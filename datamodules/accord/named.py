"""What the user calls nodes, items, jobs and machines. Where a file says nothing they are counted from 0, and no labels are kept."""

from collections.abc import Iterable

from datamodules.accord.errors import InvalidInstanceError

__all__ = ["Machines", "Named", "checked_labels"]


class Named:
    """An instance whose nodes, items or jobs may have labels."""

    labels: tuple[str, ...]

    def label(self, at: int) -> str:
        """Of a node, item or job; of one that does not exist its number."""
        return self.labels[at] if 0 <= at < len(self.labels) else str(at)


class Machines(Named):
    """A shop, whose machines may have labels, too."""

    machine_labels: tuple[str, ...]

    def machine_label(self, at: int) -> str:
        return self.machine_labels[at] if 0 <= at < len(self.machine_labels) else str(at)


def checked_labels(what: str, labels: Iterable[str], count: int, things: str) -> tuple[str, ...]:
    """One for each of `count`, all different; none at all where they only count from 0."""
    kept = tuple(" ".join(label.split()) for label in labels)
    if not kept or kept == tuple(map(str, range(count))):
        return ()
    if len(kept) != count:
        raise InvalidInstanceError(f"{what}: {len(kept)} labels of {count} {things}")
    if twice := next((label for at, label in enumerate(kept) if label in kept[:at]), None):
        raise InvalidInstanceError(f"{what}: two of the {things} are labelled {twice!r}")
    if "" in kept:
        raise InvalidInstanceError(f"{what}: label {kept.index('')} of the {things} is empty")
    return kept
