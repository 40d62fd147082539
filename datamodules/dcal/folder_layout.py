"""Pictures in folders named after their class, with or without folders for the splits above them."""

import os
from pathlib import Path

from datamodules.dcal.table import Record, Table
from datamodules.headers import probe
from datamodules.splits import share_out
from datamodules.store import FolderStore

__all__ = ["has_classes", "has_splits", "read_classes", "read_splits"]

FOLDERS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
TEST_SHARE = 0.2
SAMPLE, HEAD = 64, 1 << 16


def has_splits(root: Path) -> bool:
    return any(FOLDERS.get(folder.name.lower()) == "train" and _folders(folder) for folder in _folders(root))


def read_splits(root: Path) -> Table:
    rows = []
    for folder in _folders(root):
        split = FOLDERS.get(folder.name.lower())
        if split:
            rows += [(file, name, split) for file, name in _files(root, folder)]
    trained = {name for _, name, split in rows if split == "train"}
    classes = sorted(trained)
    problems = [
        f"{root / other}: pictures of a class that has none in train; add some or remove the folder"
        for other in sorted({f"{Path(file).parent}" for file, name, _ in rows if name not in trained})
    ]
    label = {name: row for row, name in enumerate(classes)}
    records = [Record(file, label[name], name, split) for file, name, split in rows if name in trained]
    return Table("splits", str(root), FolderStore(root), classes, records, problems + _empty(root))


def has_classes(root: Path) -> bool:
    folders = [folder for folder in _folders(root) if FOLDERS.get(folder.name.lower()) is None]
    return sum(any(entry.is_file() for entry in folder.iterdir()) for folder in folders) >= 2 and _mostly_pictures(root)


def _mostly_pictures(root: Path) -> bool:
    """By the first bytes of some files: any folder has folders with files, and those of features or graphs are not ours."""
    files = [root / file for file, _ in _files(root, root)]
    some = files[:: max(1, len(files) // SAMPLE)]
    return 2 * sum(_begins_as_picture(file) for file in some) >= len(some)


def _begins_as_picture(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return probe(opened.read(HEAD)) is not None
    except OSError:
        return False


def read_classes(root: Path) -> Table:
    rows = _files(root, root)
    classes = sorted({name for _, name in rows})
    test = share_out([file for file, _ in rows], [name for _, name in rows], TEST_SHARE)
    label = {name: row for row, name in enumerate(classes)}
    records = [Record(file, label[name], name, "test" if file in test else "train") for file, name in rows]
    note = f"no splits given: {len(test)} of {len(rows)} pictures, {TEST_SHARE:.0%} of every class, picked by name, are the test split"
    return Table("classes", str(root), FolderStore(root), classes, records, _empty(root), [note])


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))


def _files(root: Path, folder: Path) -> list[tuple[str, str]]:
    """(file relative to root, class) of everything under folder/<class>; hidden files are nobody's pictures."""
    rows = []
    for group in _folders(folder):
        for place, _, names in os.walk(group):
            rows += [((Path(place) / name).relative_to(root).as_posix(), group.name) for name in names if not name.startswith(".")]
    return sorted(rows)


def _empty(root: Path) -> list[str]:
    """Class folders without a file are mistakes worth naming."""
    lowest = [Path(place) for place, folders, names in os.walk(root) if not folders and not any(not name.startswith(".") for name in names)]
    return [f"{folder}: empty folder; remove it or fill it" for folder in sorted(lowest) if folder != root]
