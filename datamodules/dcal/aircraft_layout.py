"""FGVC-Aircraft as distributed: one list of `<id> <variant>` a split, variants with blanks in their names."""

from pathlib import Path

from datamodules.dcal.lists import Line, Row, assemble, box_of, by_id
from datamodules.dcal.table import Table
from datamodules.store import FolderStore

__all__ = ["BANNER", "is_aircraft", "read_aircraft"]

BANNER = 20  # the lowest pixel rows are a copyright line, from which the class might be read


def is_aircraft(path: Path) -> bool:
    return any((root / "images_variant_test.txt").is_file() or _train(root) for root in (path, path / "data"))


def read_aircraft(path: Path) -> Table:
    root = path if _train(path) or (path / "images_variant_test.txt").is_file() else path / "data"
    problems: list[str] = []
    lists = {"train": _list(root, "train"), "val": _list(root, "val"), "test": _list(root, "test")}
    if not (lists["train"].is_file() and lists["val"].is_file()):
        lists = {"train": _list(root, "trainval") if _list(root, "trainval").is_file() else lists["train"], "test": lists["test"]}
    boxes = by_id(root / "images_box.txt", problems) if (root / "images_box.txt").is_file() else {}
    seen: dict[str, Line] = {}
    rows = []
    for split, file in lists.items():
        for id_, line in by_id(file, problems).items() if file.is_file() else ():
            if id_ in seen:
                problems.append(f"{line.where}: id {id_!r} is already in {seen[id_].where}; keep it in one split")
                continue
            seen[id_] = line
            box = box_of(boxes[id_], problems, corners=True) if id_ in boxes else None
            rows.append(Row(f"images/{id_}.jpg", line.value, line.value, split, box, line.where, BANNER))
    notes = [f"the lowest {BANNER} pixel rows, a copyright line, are cut off every picture"]
    return assemble("aircraft", str(path), FolderStore(root), rows, problems, notes)


def _train(root: Path) -> bool:
    return any(_list(root, split).is_file() for split in ("train", "trainval"))


def _list(root: Path, split: str) -> Path:
    return root / f"images_variant_{split}.txt"
