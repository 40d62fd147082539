"""People out of pairs: where images are paired and nobody is named, all that are tied by "same" are one person."""

from collections.abc import Sequence

__all__ = ["people_of"]


def people_of(pairs: Sequence[tuple[str, str, bool]]) -> dict[str, str]:
    """image -> the first image, by name, of all that are the same person."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        root.setdefault(name, name)
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for first, second, same in pairs:
        one, other = find(first), find(second)
        if same and one != other:
            root[max(one, other)] = min(one, other)
    return {name: find(name) for name in root}
