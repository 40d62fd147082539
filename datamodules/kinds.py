"""Which of the known layouts lies at a path: whichever is recognised, or the one that is named."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from datamodules.errors import DataError

__all__ = ["Kind", "kind_of", "recognised"]


class Kind(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def looks_for(self) -> str: ...
    @property
    def matches(self) -> Callable[[Path], bool]: ...


K = TypeVar("K", bound=Kind)


def recognised(path: Path, kinds: Sequence[K], others: Sequence[Kind] = ()) -> K:
    """The first that matches. others: looked for before, and named with these when none does."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    for kind in kinds:
        if kind.matches(path):
            return kind
    raise DataError(f"{path}: not recognised; looked for {'; or '.join(kind.looks_for for kind in (*kinds, *others))}")


def kind_of(path: Path, layout: str, kinds: Sequence[K]) -> K:
    """The kind of this name, or with auto whichever is recognised."""
    if layout == "auto":
        return recognised(path, kinds)
    named = {kind.name: kind for kind in kinds}
    if layout not in named:
        raise DataError(f"layout {layout!r} is not known; there are auto, {', '.join(named)}")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if not named[layout].matches(path):
        raise DataError(f"{path}: layout {layout!r} needs {named[layout].looks_for}; name another one, or auto")
    return named[layout]
