"""Layouts of bags, read as they are distributed. `detect(path)` says which one lies there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datamodules.checks import Report
from datamodules.errors import DataError
from datamodules.kinds import recognised
from datamodules.mil import feature_folder, npz_set
from datamodules.mil.bag_report import report
from datamodules.mil.feature_folder import has_features
from datamodules.mil.feature_set import read_feature_set
from datamodules.mil.npz_set import is_npz_set, read_npz_set
from datamodules.mil.table import BagTable

__all__ = ["KNOWN", "Layout", "detect"]


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], BagTable]
    recipe: str


KNOWN = (
    Kind("npz", npz_set.LOOKS_FOR, is_npz_set, read_npz_set, "small"),
    Kind("features", feature_folder.LOOKS_FOR, has_features, read_feature_set, "features"),
)


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path

    def read(self) -> BagTable:
        return self.kind.read(self.path)

    def check(self, *, near: bool = False) -> Report:
        found = report(self.read(), self.kind.recipe)
        if near:
            found.notes.append("near-copies are not looked for among bags")
        return found


def detect(path: str | Path) -> Layout:
    path = Path(path)
    if path.is_dir() and (sets := [file.name for file in sorted(path.glob("*.npz")) if is_npz_set(file)]):
        raise DataError(f"{path}: {len(sets)} sets of bags, a file each; name one, such as {path / sets[0]}")
    return Layout(recognised(path, KNOWN), path)
