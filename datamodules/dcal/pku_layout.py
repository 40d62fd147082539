"""PKU-Reid as distributed: one folder, names like 009_2_7.png (person, camera, orientation). Copies hold JPEG data under .png."""

import hashlib
import re
from pathlib import Path

from datamodules.dcal.reid_names import fits, sightings
from datamodules.dcal.reid_table import ReidTable, assemble_sightings, picked_queries
from datamodules.store import FolderStore

__all__ = ["is_pku", "read_pku"]

NAME = re.compile(r"(?P<identity>\d{1,3})_(?P<camera>[12])_[1-8]\.")


def is_pku(path: Path) -> bool:
    return fits(path, NAME)


def read_pku(path: Path) -> ReidTable:
    """No split is distributed: half of the persons, by the hash of their numbers, is for training; queries are picked by name."""
    problems: list[str] = []
    rows = sightings(path, ".", "gallery", NAME, problems)
    rows = [row._replace(file=row.file.removeprefix("./")) for row in rows]
    persons = sorted({row.identity for row in rows}, key=lambda name: hashlib.sha256(f"train:{name}".encode()).digest())
    train = set(persons[: len(persons) // 2])
    queries = picked_queries([row for row in rows if row.identity not in train])
    rows = [row._replace(split="train" if row.identity in train else "query" if row.file in queries else "gallery") for row in rows]
    note = f"no split given: {len(train)} of {len(persons)} persons, picked by name, are for training; one query a person and camera"
    return assemble_sightings("pku", str(path), FolderStore(path), rows, problems, [note])
