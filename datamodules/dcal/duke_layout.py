"""DukeMTMC-reID as it was distributed: Market's folders, names like 0001_c2_f0046182.jpg (person, camera, frame)."""

import re
from pathlib import Path

from datamodules.dcal.market_layout import FOLDERS
from datamodules.dcal.reid_names import fits, sightings
from datamodules.dcal.reid_table import ReidTable, assemble_sightings
from datamodules.store import FolderStore

__all__ = ["is_duke", "read_duke"]

NAME = re.compile(r"(?P<identity>\d{4})_c(?P<camera>\d)_f\d")


def is_duke(path: Path) -> bool:
    return fits(path / "bounding_box_train", NAME)


def read_duke(path: Path) -> ReidTable:
    """The gallery's persons without a query (there are 408) distract."""
    problems: list[str] = []
    rows = [row for folder, split in FOLDERS.items() for row in sightings(path, folder, split, NAME, problems)]
    notes = ["withdrawn by its authors in 2019: whether you may use it is for you to know"]
    return assemble_sightings("duke", str(path), FolderStore(path), rows, problems, notes)
