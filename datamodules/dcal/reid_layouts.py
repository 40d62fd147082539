"""Layouts of re-identification sets, read as they are distributed. `detect(path)` says which one lies there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.checks import Report
from datamodules.dcal.duke_layout import is_duke, read_duke
from datamodules.dcal.market_layout import is_market, read_market
from datamodules.dcal.msmt_layout import is_msmt, read_msmt
from datamodules.dcal.pku_layout import is_pku, read_pku
from datamodules.dcal.reid_checking import report
from datamodules.dcal.reid_csv_layout import is_reid_csv, read_reid_csv
from datamodules.dcal.reid_table import ReidTable, with_validation_identities
from datamodules.dcal.veri_layout import is_veri, read_veri
from datamodules.dcal.viper_layout import TRIALS, is_viper, read_viper
from datamodules.errors import DataError
from datamodules.kinds import kind_of

__all__ = ["KNOWN", "Named", "ReidLayout", "find", "read"]

Named = Literal["auto", "reid-csv", "market", "duke", "msmt17", "veri776", "viper", "pku"]


@dataclass(frozen=True)
class Kind:
    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[..., ReidTable]
    trials: int = 1  # more: `read` takes the number of a random split


KNOWN = (
    Kind("reid-csv", "a CSV with the columns file,label,split,camera (split: train, val, query, gallery)", is_reid_csv, read_reid_csv),
    Kind("market", "Market-1501 (bounding_box_train/, query/, bounding_box_test/)", is_market, read_market),
    Kind("duke", "DukeMTMC-reID (bounding_box_train/0001_c2_f0046182.jpg)", is_duke, read_duke),
    Kind("msmt17", "MSMT17 (list_train.txt, list_query.txt, list_gallery.txt)", is_msmt, read_msmt),
    Kind("veri776", "VeRi-776 (image_train/, image_query/, image_test/)", is_veri, read_veri),
    Kind("viper", "VIPeR (cam_a/, cam_b/)", is_viper, read_viper, TRIALS),
    Kind("pku", "PKU-Reid (<person>_<camera>_<view>.png)", is_pku, read_pku),
)


@dataclass(frozen=True)
class ReidLayout:
    """A recognised source: `read()` is its table, `check()` the report of `discern data check`."""

    kind: Kind
    path: Path

    @property
    def name(self) -> str:
        return self.kind.name

    def read(self, trial: int = 0) -> ReidTable:
        if not 0 <= trial < self.kind.trials:
            raise DataError(f"trial {trial}: {self.name} has {self.kind.trials} split{'s' if self.kind.trials > 1 else ''}, counted from 0")
        table = self.kind.read(self.path, trial) if self.kind.trials > 1 else self.kind.read(self.path)
        return with_validation_identities(table)

    def check(self, *, near: bool = False) -> Report:
        return report(self.read(), near=near)


def find(path: str | Path) -> ReidLayout | None:
    """The layout of what lies at `path`, if any of these."""
    path = Path(path)
    return next((ReidLayout(kind, path) for kind in KNOWN if kind.matches(path)), None)


def read(path: str | Path, layout: Named = "auto", trial: int = 0) -> ReidTable:
    """The table at `path`, in a named layout or whichever is recognised."""
    return ReidLayout(kind_of(Path(path), layout, KNOWN), Path(path)).read(trial)
