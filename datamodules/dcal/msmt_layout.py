"""MSMT17 as distributed: lists of `0000/0000_000_01_0303morning_0008_0.jpg 0`; version 2 has other folder names."""

import re
from pathlib import Path, PurePosixPath

from datamodules.dcal.lists import by_id
from datamodules.dcal.reid_table import ReidTable, Sighting, assemble_sightings
from datamodules.store import FolderStore

__all__ = ["is_msmt", "read_msmt"]

LISTS = {"list_train.txt": "train", "list_val.txt": "train", "list_query.txt": "query", "list_gallery.txt": "gallery"}
FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))
CAMERA = re.compile(r"[^_]+_[^_]+_(?P<camera>\d+)_")  # the third field of the name


def is_msmt(path: Path) -> bool:
    return all((path / name).is_file() for name in ("list_train.txt", "list_query.txt", "list_gallery.txt"))


def read_msmt(path: Path) -> ReidTable:
    """list_val names more pictures of list_train's persons, so both are training, as in every published table."""
    problems: list[str] = []
    notes = []
    train, test = next((pair for pair in FOLDERS if (path / pair[0]).is_dir()), FOLDERS[0])
    rows = []
    for name, split in LISTS.items():
        if not (path / name).is_file():
            notes.append(f"no {name}: its pictures are left out")
            continue
        folder = train if split == "train" else test
        for file, line in by_id(path / name, problems).items():
            match = CAMERA.match(PurePosixPath(file).name)
            if match is None or not line.value.isdigit():
                problems.append(f"{line.where}: {file!r} {line.value!r} is not a picture with its camera and a person's number")
            else:
                # Both halves count their persons from 0: number 5 of one is not number 5 of the other.
                identity = f"{'train' if split == 'train' else 'test'}/{int(line.value):04}"
                rows.append(Sighting(f"{folder}/{file}", identity, str(int(match["camera"])), split, line.where))
    return assemble_sightings("msmt17", str(path), FolderStore(path), rows, problems, notes)
