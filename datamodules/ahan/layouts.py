"""Layouts of faces, read as they are distributed. `detect(path)` says which one lies there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.ahan.bin_layout import is_bin, read_bin
from datamodules.ahan.checking import report
from datamodules.ahan.csv_layout import is_faces_csv, read_faces_csv
from datamodules.ahan.json_layout import is_images_json, read_images_json
from datamodules.ahan.kinface_layout import is_kinface, read_kinface
from datamodules.ahan.lfw_layout import is_lfw, read_lfw
from datamodules.ahan.pair_list_layout import is_pair_list, read_pair_list
from datamodules.ahan.record_layout import is_records, read_records
from datamodules.ahan.table import FaceTable, with_splits
from datamodules.ahan.twins_layout import is_twins, read_twins
from datamodules.checks import Report
from datamodules.kinds import kind_of, recognised

__all__ = ["KNOWN", "Layout", "LayoutName", "detect", "read"]

LayoutName = Literal["auto", "lfw", "images-json", "twins", "faces-csv", "pair-list", "kinfacew", "insightface-bin", "recordio"]


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], FaceTable]


KNOWN = (
    Kind("lfw", "LFW (pairs.txt or pairsDevTrain.txt beside <Name>/<Name>_0001.jpg, a tar of it, or lfw112.npz)", is_lfw, read_lfw),
    Kind("images-json", "images.json or *_dataset_infor.json with twins.json or *_twin_pairs.json", is_images_json, read_images_json),
    Kind("twins", "<person>/* or <person>/<visit>/* with twins.json", is_twins, read_twins),
    Kind(
        "faces-csv",
        "a CSV with the columns image,person,family (kind or zygosity, session, captured, yaw, split, eye_left_x, ...)",
        is_faces_csv,
        read_faces_csv,
    ),
    Kind(
        "pair-list",
        "pairs as a CSV with image1,image2,same (fold, relation), or as lines 'image1 image2 0|1'",
        is_pair_list,
        read_pair_list,
    ),
    Kind("kinfacew", "KinFaceW (images/father-dau/, meta_data/fd_pairs.mat)", is_kinface, read_kinface),
    Kind("insightface-bin", "InsightFace pairs (lfw.bin)", is_bin, read_bin),
    Kind("recordio", "InsightFace records (train.rec, train.idx)", is_records, read_records),
)


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path

    @property
    def name(self) -> str:
        return self.kind.name

    def read(self, fold: int | None = None) -> FaceTable:
        return with_splits(self.kind.read(self.path), fold)

    def check(self, *, near: bool = False) -> Report:
        return report(self.read(), near=near)


def detect(path: str | Path) -> Layout:
    """The layout of what lies at `path`; a DataError listing what was looked for when none fits."""
    return Layout(recognised(Path(path), KNOWN), Path(path))


def read(path: str | Path, layout: LayoutName = "auto", fold: int | None = None) -> FaceTable:
    """The table at `path`, in a named layout or whichever is recognised."""
    return Layout(kind_of(Path(path), layout, KNOWN), Path(path)).read(fold)
