"""Layouts of classified pictures, read as they are distributed. `detect(path)` says which one lies there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.checks import Report
from datamodules.dcal import reid_layouts
from datamodules.dcal.aircraft_layout import is_aircraft, read_aircraft
from datamodules.dcal.cars_layout import is_cars, read_cars
from datamodules.dcal.checking import report
from datamodules.dcal.csv_layout import find_index, read_index
from datamodules.dcal.cub_layout import is_cub, read_cub
from datamodules.dcal.folder_layout import has_classes, has_splits, read_classes, read_splits
from datamodules.dcal.reid_layouts import ReidLayout
from datamodules.dcal.table import Table, with_validation
from datamodules.errors import DataError
from datamodules.kinds import kind_of, recognised

__all__ = ["KNOWN", "Layout", "Named", "detect", "read"]

Named = Literal["auto", "cub", "cars", "aircraft", "csv", "splits", "classes"]


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Table]


KNOWN = (
    Kind("cub", "CUB-200-2011 (images.txt, train_test_split.txt, images/)", is_cub, read_cub),
    Kind("cars", "Stanford Cars (devkit/cars_train_annos.mat with cars_train/, or cars_annos.mat with car_ims/)", is_cars, read_cars),
    Kind("aircraft", "FGVC-Aircraft (data/images_variant_train.txt, data/images/)", is_aircraft, read_aircraft),
    Kind(
        "csv", "a CSV with the columns file,label (split, class_name, bbox_x,y,w,h), pictures beside it or in a zip", find_index, read_index
    ),
    Kind("splits", "train/<class>/*, test/<class>/* (val/<class>/*)", has_splits, read_splits),
    Kind("classes", "<class>/*, two classes or more", has_classes, read_classes),
)


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def general(self) -> bool:
        """Any folders with pictures look like this, those of another application's sets, too."""
        return self.kind.name == "classes"

    def read(self) -> Table:
        return with_validation(self.kind.read(self.path))

    def check(self, *, near: bool = False) -> Report:
        return report(self.read(), near=near)


def detect(path: str | Path) -> Layout | ReidLayout:
    """The layout of what lies at `path`, of classes or identities; a DataError listing what was looked for when none fits."""
    return reid_layouts.find(path) or Layout(recognised(Path(path), KNOWN, reid_layouts.KNOWN), Path(path))


def read(path: str | Path, layout: Named = "auto") -> Table:
    """The table of classified pictures at `path`, in a named layout or whichever is recognised."""
    if layout == "auto":
        identities = reid_layouts.find(path)
        if identities is not None and not find_index(Path(path)):  # a CSV of labels can be read either way
            raise DataError(f"{path}: {identities.name} is a set of identities, not of classes; train on it with --config reid")
    return Layout(kind_of(Path(path), layout, KNOWN), Path(path)).read()
