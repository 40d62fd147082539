"""Manifests as public work on ND-TWINS has them: {"person": ["path", ...]} and [["p1", "p2"], ...], for training and test apart."""

from pathlib import Path

from datamodules.ahan.relations import families_of, load_json
from datamodules.ahan.table import Face, FaceTable, assemble_faces
from datamodules.beside import store_beside
from datamodules.errors import DataError

__all__ = ["is_images_json", "read_images_json"]

IMAGES, TWINS = ("dataset_infor", "images"), ("twin_pairs", "twins")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def is_images_json(path: Path) -> bool:
    return bool(_manifests(path))


def read_images_json(path: Path) -> FaceTable:
    """train_dataset_infor.json goes with train_twin_pairs.json; one without such a prefix says no split."""
    faces, problems, notes, names, personal = [], [], [], [], []
    manifests = _manifests(path)
    for file, prefix in manifests:
        listed = load_json(file)
        if not isinstance(listed, dict):
            raise DataError(f'{file}: {type(listed).__name__} instead of people; write {{"person": ["path.jpg", ...], ...}}')
        split = SPLITS.get(prefix.lower(), "")
        if prefix and not split and len(manifests) > 1:
            raise DataError(f"{file}: {prefix!r} is no split; call it train, val or test")
        people, empty = {}, []
        for person, files in listed.items():
            if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
                problems.append(f"{file}: {person!r} has no list of paths; correct it")
            elif not files:
                empty.append(f"{file}: no image of {person!r}")
            else:
                people[person] = files
        homes, wrong, lacking = families_of(_twins(file.parent, prefix), set(people))
        problems += wrong
        personal += empty + lacking
        if empty:
            notes.append(f"{file.name}: {len(empty)} people have no image")
        if lacking:
            notes.append(f"{file.name}: {len(lacking)} entries of its twins name people without an image")
        for person, files in people.items():
            family, kind = homes[person]
            faces += [Face(name, person, family, split, None, kind, where=str(file)) for name in files]
            names += files
        if _twins(file.parent, prefix) is None:
            notes.append(f"{file}: no {' or '.join(f'{prefix}_{name}.json'.lstrip('_') for name in TWINS)} beside it: nobody has a twin")
    notes.append("no visits are known: images of one day may be paired, whose clothes and light tell the person")
    return assemble_faces(
        "images-json", str(path), store_beside(manifests[0][0], names), faces, problems=problems, notes=notes, personal=personal
    )


def _manifests(path: Path) -> list[tuple[Path, str]]:
    """(file, prefix) of those that name images."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.suffix == ".json" and path.is_file() else []
    return [(file, prefix) for file in files if (prefix := _prefix(file.stem, IMAGES)) is not None]


def _twins(folder: Path, prefix: str) -> Path | None:
    return next((file for file in sorted(folder.glob("*.json")) if _prefix(file.stem, TWINS) == prefix), None)


def _prefix(stem: str, endings: tuple[str, ...]) -> str | None:
    return next((stem[: -len(end)].rstrip("_-") for end in endings if stem == end or stem.endswith(f"_{end}")), None)
