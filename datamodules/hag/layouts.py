"""Layouts of polyp frames, read as they are distributed. `detect(path)` says which one lies there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.checks import Report
from datamodules.errors import DataError
from datamodules.hag.areas import with_masks
from datamodules.hag.checking import report
from datamodules.hag.cifar_layout import is_cifar, read_cifar
from datamodules.hag.cvc_clinicdb_layout import is_cvc_clinicdb, read_cvc_clinicdb
from datamodules.hag.index_tar_layout import is_index_tar, read_index_tar
from datamodules.hag.kvasir_seg_layout import is_kvasir_seg, read_kvasir_seg
from datamodules.hag.near import with_near_groups
from datamodules.hag.paper_csv_layout import is_paper_csv, read_paper_csv
from datamodules.hag.polyp_csv_layout import is_polyp_csv, read_polyp_csv
from datamodules.hag.polypgen_layout import is_polypgen, read_polypgen
from datamodules.hag.protocols import Protocol, with_splits
from datamodules.hag.real_colon_layout import is_real_colon, read_real_colon
from datamodules.hag.sun_layout import is_sun, read_sun
from datamodules.hag.sun_seg_layout import is_sun_seg, read_sun_seg
from datamodules.hag.table import PolypTable
from datamodules.kinds import kind_of, recognised

__all__ = ["KNOWN", "Layout", "LayoutName", "detect", "read"]

LayoutName = Literal[
    "auto", "real-colon", "sun", "sun-seg", "paper-csv", "kvasir-seg", "cvc-clinicdb", "index-tar", "polypgen", "polyp-csv", "cifar"
]


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], PolypTable]


KNOWN = (
    Kind("real-colon", "REAL-Colon (lesion_info.csv beside SSS-VVV_frames/ and SSS-VVV_annotations/)", is_real_colon, read_real_colon),
    Kind("sun", "SUN (annotation_txt/case1.txt beside case1/)", is_sun, read_sun),
    Kind("sun-seg", "SUN-SEG (TrainDataset/Frame, TestEasyDataset/Unseen/Frame)", is_sun_seg, read_sun_seg),
    Kind(
        "paper-csv",
        "the split lists of HAG's release (a CSV with database, unique_id, frame_id, frame_path, gt)",
        is_paper_csv,
        read_paper_csv,
    ),
    Kind("kvasir-seg", "Kvasir-SEG (images/, masks/, kavsir_bboxes.json)", is_kvasir_seg, read_kvasir_seg),
    Kind("cvc-clinicdb", "CVC-ClinicDB (Original/1.tif, Ground Truth/1.tif)", is_cvc_clinicdb, read_cvc_clinicdb),
    Kind(
        "index-tar", "index.csv (set, id, group, fold, mask_fraction, box) beside a tar of images/ and masks/", is_index_tar, read_index_tar
    ),
    Kind("polypgen", "PolypGen (data_C1/images_C1 ... data_C6)", is_polypgen, read_polypgen),
    Kind(
        "polyp-csv",
        "a CSV with the columns image,polyp (patient, mm, xmin, ymin, xmax, ymax, mask, split, ...)",
        is_polyp_csv,
        read_polyp_csv,
    ),
    Kind(
        "cifar",
        "pictures by class (train/CLASS/*, test/CLASS/*), CIFAR (batches of Python or of bytes), or train.npz and test.npz of JPEG bytes",
        is_cifar,
        read_cifar,
    ),
)


@dataclass(frozen=True)
class Layout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path
    roots: Mapping[str, str] | None = None  # of lists whose paths begin with a $NAME

    @property
    def name(self) -> str:
        return self.kind.name

    def read(self, protocol: Protocol = "auto", fold: int | None = None, areas: bool = False) -> PolypTable:
        if self.roots and self.kind.name != "paper-csv":
            raise DataError(f"{self.path}: roots are of the layout paper-csv; {self.kind.name} has none: leave them out")
        table = read_paper_csv(self.path, self.roots) if self.roots else self.kind.read(self.path)
        table = with_masks(table, areas)
        return with_splits(with_near_groups(table) if table.alone else table, protocol, fold)

    def check(self, *, near: bool = False) -> Report:
        return report(self.read(), near=near)


def detect(path: str | Path) -> Layout:
    """The layout of what lies at `path`; a DataError listing what was looked for when none fits."""
    return Layout(recognised(Path(path), KNOWN), Path(path))


def read(
    path: str | Path,
    layout: LayoutName = "auto",
    protocol: Protocol = "auto",
    fold: int | None = None,
    areas: bool = False,
    roots: Mapping[str, str] | None = None,
) -> PolypTable:
    """The table at `path`, in a named layout or whichever is recognised, with its splits.

    areas: the share of the frame that each polyp fills, from the masks
    """
    return Layout(kind_of(Path(path), layout, KNOWN), Path(path), roots).read(protocol, fold, areas)
