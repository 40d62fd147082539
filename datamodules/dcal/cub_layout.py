"""CUB-200-2011 as distributed: lists of `<id> <value>` beside a folder of pictures by species."""

from pathlib import Path

from datamodules.dcal.lists import Line, Row, assemble, box_of, by_id
from datamodules.dcal.table import Table
from datamodules.store import FolderStore

__all__ = ["is_cub", "read_cub"]

NAME = "CUB_200_2011"
SPLITS = {"1": "train", "0": "test"}


def is_cub(path: Path) -> bool:
    return any((root / "images.txt").is_file() and (root / "train_test_split.txt").is_file() for root in (path, path / NAME))


def read_cub(path: Path) -> Table:
    """The class is the folder's number; where image_class_labels.txt is there, too, the two must agree (copies lack that list)."""
    root = path if (path / "images.txt").is_file() else path / NAME
    problems: list[str] = []
    notes: list[str] = []
    images, splits = by_id(root / "images.txt", problems), by_id(root / "train_test_split.txt", problems)
    labels, boxes, classes = (
        by_id(root / name, problems) if (root / name).is_file() else {}
        for name in ("image_class_labels.txt", "bounding_boxes.txt", "classes.txt")
    )
    rows = []
    for id_, image in images.items():
        split, folder = splits.get(id_), image.value.split("/")[0]
        number = _number(folder) if id_ not in labels else _whole(labels[id_].value)
        if split is None:
            problems.append(f"{image.where}: id {id_} has no line in train_test_split.txt; add one or remove the picture")
        elif split.value not in SPLITS:
            problems.append(f"{split.where}: split {split.value!r} is neither 1 (train) nor 0 (test); correct it or fetch the list again")
        elif number is None:
            problems.append(f"{labels.get(id_, image).where}: no class number for {image.value!r}; folders are called 001.Name")
        elif _number(folder) not in (None, number):
            problems.append(f"{labels[id_].where}: class {number}, but the picture lies in {folder!r}; make them agree")
        else:
            box = box_of(boxes[id_], problems, corners=False) if id_ in boxes else None
            rows.append(Row(f"images/{image.value}", number, _species(number, classes, folder), SPLITS[split.value], box, image.where))
    if orphans := [line.where for id_, line in splits.items() if id_ not in images]:
        notes.append(f"{len(orphans)} ids have a split but no picture in images.txt, the first in {orphans[0]} (lists are joined by id)")
    if not labels:
        notes.append("no image_class_labels.txt: the class is the number of the picture's folder")
    if boxes and (unboxed := [image.where for id_, image in images.items() if id_ not in boxes]):
        notes.append(f"{len(unboxed)} pictures without a box, the first in {unboxed[0]}")
    return assemble("cub", str(path), FolderStore(root), rows, problems, notes)


def _species(number: int, classes: dict[str, Line], folder: str) -> str:
    name = classes[str(number)].value if str(number) in classes else folder
    return name.partition(".")[2] or name


def _number(folder: str) -> int | None:
    return _whole(folder.partition(".")[0])


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
