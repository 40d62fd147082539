"""One's own frames: a CSV that names every frame and its polyp, with boxes in it, or beside it in any known kind, or masks."""

from collections import Counter
from pathlib import Path

from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.hag.boxes.by_frame import Boxes, parts_of
from datamodules.hag.boxes.marked import Marked, in_pixels
from datamodules.hag.boxes.read import box_of_row, read_boxes, stem
from datamodules.hag.boxes.voc import CORNERS
from datamodules.hag.sizes import mm_of
from datamodules.hag.table import Box, PolypFrame, PolypTable, assemble, box_problem, clip
from datamodules.headers import probe
from datamodules.store import Store, inside

__all__ = ["is_polyp_csv", "read_polyp_csv"]

COLUMNS = {"image", "polyp"}
SPLITS = {"": "", "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "gates": "gates"}
BOXES = ("annotations", "labels", "boxes", "annotation_txt", "boxes.json", "annotations.json", "annotations.csv", "boxes.csv")


def is_polyp_csv(path: Path) -> bool:
    return bool(_lists(path))


def read_polyp_csv(path: Path) -> PolypTable:
    """Columns: image, polyp; and where they are known patient (or video), mm (`6`, `6mm`, `15mm-`), censored, xmin, ymin, xmax, ymax, mask,
    centre, label, split, fold, group. Boxes may lie beside instead: annotations/ (VOC XML), labels/ (YOLO), annotation_txt/ (SUN),
    annotations.json (COCO), or masks/.
    """
    lists = _lists(path)
    if len(lists) > 1:
        raise DataError(f"{path}: several lists ({', '.join(file.name for file in lists)}); name the CSV itself")
    index = lists[0]
    found, problems, columns = csv_rows(index)
    given = [name for name in CORNERS if name in columns]
    if given and len(given) < len(CORNERS):
        raise DataError(f"{index}:1: no column {next(name for name in CORNERS if name not in columns)!r}: give all four of a box, or none")
    store = store_beside(index, [row["image"] for _, row in found])
    beside = Boxes()
    if not given and (
        places := [index.parent / name for name in BOXES if (index.parent / name).exists() and (index.parent / name) != index]
    ):
        beside, wrong = read_boxes(places[0])
        problems += wrong
    images = {parts_of(row["image"]) for _, row in found}
    shared = {name for name, count in Counter(parts[-1] for parts in images).items() if count > 1}
    rows: list[PolypFrame] = []
    clipped: list[str] = []
    for line, row in found:
        where = f"{index}:{line}"
        try:
            frame, over = _frame(row, where, store, beside, bool(given), shared)
        except DataError as error:
            problems.append(f"{where}: {error}")
            continue
        rows.append(frame)
        clipped += [where] * over
    for name in ("split", "fold"):
        some = {getattr(row, name) not in ("", -1) for row in rows}
        if len(some) > 1:
            problems += [f"{row.where}: no {name}, but other rows have one; fill it in" for row in rows if getattr(row, name) in ("", -1)]
    notes = [f"{len(clipped)} boxes over the frame's border (clipped), the first: {clipped[0]}"] if clipped else []
    alone = not {"patient", "video", "group"} & set(columns)
    if alone:
        notes.append("no column patient or video: frames are kept together by polyp and where they are near-copies")
    folds = len({row.fold for row in rows if row.fold >= 0})
    return assemble("polyp-csv", str(path), store, rows, problems, notes, folds, alone)


def _frame(row: dict[str, str], where: str, store: Store, beside: Boxes, given: bool, shared: set[str]) -> tuple[PolypFrame, bool]:
    """(the frame, whether its box was clipped). shared: names that several frames have, in folders of their own."""
    if not row["image"] or not row["polyp"]:
        raise DataError(f"no {'image' if not row['image'] else 'polyp'}; fill it in or remove the row")
    split = SPLITS.get(row.get("split", "").lower())
    if split is None:
        raise DataError(f"split {row['split']!r} is not one of train, gates, val, test")
    fold = row.get("fold", "")
    if fold and not fold.isdigit():
        raise DataError(f"fold {fold!r} is no number from 0")
    censored_cell = row.get("censored", "").lower()
    if censored_cell not in ("", "0", "1", "true", "false"):
        raise DataError(f"censored {censored_cell!r} is not one of 0, 1, true, false")
    size = mm_of(row.get("mm") or row.get("size") or "")
    mm, censored = size if size else (None, False)
    box, mask, over = None, row.get("mask", ""), False
    marks: list[Marked] = []
    if given:
        box, wrong = box_of_row(row)
        if wrong:
            raise DataError(wrong)
        marks = [] if box is None else [Marked(box)]
    elif found := beside.of(row["image"], row["image"]):
        marks = [mark for mark in found if mark.polyp == row["polyp"]] or found
        if len(marks) > 1:
            raise DataError(f"{row['image']} has {len(marks)} boxes, and none is called {row['polyp']!r}; name the polyps in the boxes")
    if not mask:
        mask = _mask_of(row["image"], store, shared)
    if marks:
        box, over = _within(marks[0], row["image"], store)
    patient = row.get("patient") or row.get("video") or row["polyp"]
    return (
        PolypFrame(
            row["image"],
            stem(row["image"]),
            row["polyp"],
            patient,
            box,
            mm,
            censored or censored_cell in ("1", "true"),
            row.get("label", ""),
            mask=mask,
            centre=row.get("centre") or row.get("center") or "",
            split=split,
            fold=int(fold) if fold else -1,
            group=row.get("group", ""),
            where=where,
        ),
        over,
    )


def _mask_of(image: str, store: Store, shared: set[str]) -> str:
    """masks/ with the folders of the frame, as many as there are, or with none; none is no answer for a name that several frames have."""
    if not inside(image):
        return ""
    parts = parts_of(image)
    for first in range(len(parts)):
        for end in ("", "_mask"):
            for kind in (".png", ".jpg"):
                name = f"masks/{'/'.join(parts[first:])}{end}{kind}"
                if name not in store:
                    continue
                if first == len(parts) - 1 and parts[-1] in shared:
                    raise DataError(f"{name} may belong to several frames called {parts[-1]}; keep masks in folders as the frames are")
                return name
    return ""


def _within(mark: Marked, image: str, store: Store) -> tuple[Box, bool]:
    """The box in pixels and within its frame, whose size its file's first bytes say."""
    if not inside(image) or image not in store:
        return mark.box, False  # `assemble` says that the frame lacks
    shape = probe(store.read(image))
    if shape is None:
        return mark.box, False  # reading it will say what is wrong with it
    width, height = (shape.height, shape.width) if shape.turn >= 5 else (shape.width, shape.height)
    box, over = clip(in_pixels(mark, width, height), width, height)
    if box_problem(box):
        raise DataError(f"the box {','.join(f'{value:g}' for value in mark.box)} lies outside the frame of {width} x {height}; correct it")
    return box, over


def _lists(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" and path.is_file() else []
    return [file for file in candidates if set(header(file)) >= COLUMNS]
