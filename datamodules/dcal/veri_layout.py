"""VeRi-776 as distributed: three folders with their lists, names like 0001_c001_00016450_0.jpg (vehicle, camera, time, number)."""

import re
from pathlib import Path

from datamodules.dcal.lists import lines
from datamodules.dcal.reid_names import fits, sightings
from datamodules.dcal.reid_table import ReidTable, assemble_sightings
from datamodules.store import FolderStore

__all__ = ["is_veri", "read_veri"]

FOLDERS = {"train": ("image_train", "train"), "query": ("image_query", "query"), "test": ("image_test", "gallery")}
NAME = re.compile(r"(?P<identity>\d{4})_c(?P<camera>\d{3})_\d")


def is_veri(path: Path) -> bool:
    return fits(path / "image_train", NAME)


def read_veri(path: Path) -> ReidTable:
    """Where name_<split>.txt is there, it says which pictures count; else all of the folder do.

    The queries lie in image_test as well, under the same names. They stay: every published number has them in the gallery, where the
    protocol drops a query's own copy (same vehicle, same camera) and counts it as a match of the vehicle's other queries.
    """
    problems: list[str] = []
    notes: list[str] = []
    rows = []
    for name, (folder, split) in FOLDERS.items():
        list_ = path / f"name_{name}.txt"
        names = {line.id: line.where for line in lines(list_)} if list_.is_file() else None
        rows += sightings(path, folder, split, NAME, problems, names)
    asked = {row.file.partition("/")[2] for row in rows if row.split == "query"}
    if copies := sum(row.split == "gallery" and row.file.partition("/")[2] in asked for row in rows):
        notes.append(f"{copies} gallery pictures are queries by name, as distributed: rank with 'market' or 'cross'")
    return assemble_sightings("veri776", str(path), FolderStore(path), rows, problems, notes)
