"""KinFaceW-I and II: parents and children, the nearest public cousins of twins. A family here is one of a parent and a child."""

from pathlib import Path

import numpy as np

from datamodules.ahan.table import Face, FaceTable, Named, assemble_faces
from datamodules.errors import DataError
from datamodules.matlab import load_matlab
from datamodules.store import FolderStore

__all__ = ["is_kinface", "read_kinface"]

RELATIONS = {"fd": "father-dau", "fs": "father-son", "md": "mother-dau", "ms": "mother-son"}


def is_kinface(path: Path) -> bool:
    return path.is_dir() and bool(_lists(path))


def read_kinface(root: Path) -> FaceTable:
    """Columns of `pairs`: fold, whether they are kin, and two files of images/<relation>/."""
    pairs, problems, fold_of = [], [], {}
    for file, relation in _lists(root):
        content = load_matlab(file).get("pairs")
        if not isinstance(content, np.ndarray) or content.ndim != 2 or content.shape[1] != 4:
            raise DataError(f"{file}: no table 'pairs' of four columns; fetch it again")
        for number, (fold, kin, first, second) in enumerate(content.tolist(), 1):
            where = f"{file}:{number}"
            try:
                fold, kin = int(fold), bool(int(kin))
                first, second = f"images/{RELATIONS[relation]}/{str(first).strip()}", f"images/{RELATIONS[relation]}/{str(second).strip()}"
            except (TypeError, ValueError):
                problems.append(f"{where}: fold {fold!r} and label {kin!r} are no numbers; fetch it again")
                continue
            pairs.append(Named(first, second, kin, fold, where=where))
            for name in (first, second):
                fold_of.setdefault(name, (fold, where))
    faces = []
    for name, (fold, where) in sorted(fold_of.items()):
        stem = name.rpartition("/")[2].partition(".")[0]  # fd_001_1: relation, family, 1 the parent
        faces.append(Face(name, stem, stem.rpartition("_")[0] or stem, kind="none", fold=fold, where=where))
    notes = ["kin, not one person: 'same' means parent and child, and a family is the two of them"]
    notes.append(
        "the two of a pair are often cut from one photograph, most of all in KinFaceW-II: report a baseline of colour alone beside it"
    )
    return assemble_faces("kinfacew", str(root), FolderStore(root), faces, pairs, problems, notes)


def _lists(root: Path) -> list[tuple[Path, str]]:
    places = ((root / folder / f"{name}_pairs.mat", name) for name in RELATIONS for folder in ("meta_data", "meta"))
    return [(file, name) for file, name in places if file.is_file()]
