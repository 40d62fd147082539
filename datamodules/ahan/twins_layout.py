"""Folders named after people, with images in them or in folders of visits below, and twins.json, which says who belongs together."""

import os
from pathlib import Path

from datamodules.ahan.relations import families_of
from datamodules.ahan.table import Face, FaceTable, assemble_faces
from datamodules.store import FolderStore

__all__ = ["LIST", "is_twins", "read_twins"]

LIST = "twins.json"
SPLITS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


def is_twins(path: Path) -> bool:
    return path.is_dir() and (path / LIST).is_file() and any(entry.is_dir() for entry in path.iterdir())


def read_twins(root: Path) -> FaceTable:
    """Where all folders are called train, val or test, people are below them."""
    folders = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    split_up = all(folder.name.lower() in SPLITS for folder in folders)
    rows, empty = [], []
    for split, place in [(SPLITS[f.name.lower()], f) for f in folders] if split_up else [("", root)]:
        for person in sorted(entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
            found = _files(person)
            if not found:
                empty.append(f"{person}: no image of this person")
            for file in found:
                visit = file.relative_to(person).parent.as_posix()
                rows.append((file.relative_to(root).as_posix(), person.name, split, None if visit == "." else visit))
    homes, problems, lacking = families_of(root / LIST, {person for _, person, _, _ in rows})
    faces = [Face(file, person, homes[person][0], split, visit, homes[person][1]) for file, person, split, visit in rows]
    notes = [f"{len(lacking)} entries of {LIST} name people without an image"] if lacking else []
    notes += [f"{len(empty)} folders of people hold no image"] if empty else []
    return assemble_faces("twins", str(root), FolderStore(root), faces, problems=problems, notes=notes, personal=lacking + empty)


def _files(folder: Path) -> list[Path]:
    return sorted(Path(place) / name for place, _, names in os.walk(folder) for name in names if not name.startswith("."))
