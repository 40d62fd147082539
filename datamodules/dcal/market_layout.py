"""Market-1501 as distributed: three folders, names like 0002_c1s1_000451_03.jpg (person, camera, sequence, frame, box)."""

import re
from pathlib import Path

from datamodules.dcal.reid_names import fits, sightings
from datamodules.dcal.reid_table import ReidTable, assemble_sightings
from datamodules.store import FolderStore

__all__ = ["FOLDERS", "is_market", "read_market"]

FOLDERS = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
NAME = re.compile(r"(?P<identity>-1|\d{4})_c(?P<camera>\d)s\d")
JUNK, BACKGROUND = "-1", "0000"


def is_market(path: Path) -> bool:
    return fits(path / "bounding_box_train", NAME)


def read_market(path: Path) -> ReidTable:
    """Person -1 is junk and dropped; 0000 is background and stays in the gallery, where it distracts."""
    problems: list[str] = []
    rows = [row for folder, split in FOLDERS.items() for row in sightings(path, folder, split, NAME, problems)]
    junk = sum(row.identity == JUNK for row in rows)
    rows = [row for row in rows if row.identity != JUNK and (row.identity != BACKGROUND or row.split == "gallery")]
    background = sum(row.identity == BACKGROUND for row in rows)
    notes = [f"{junk} junk pictures (person -1) left out, {background} of the background (person 0000) kept in the gallery"]
    return assemble_sightings("market", str(path), FolderStore(path), rows, problems, notes)
