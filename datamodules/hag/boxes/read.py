"""Boxes from a file or folder of any known kind, by the names of the frames."""

from pathlib import Path

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.hag.boxes.by_frame import PICTURES, Boxes, parts_of
from datamodules.hag.boxes.coco import is_coco, parse_coco, read_json
from datamodules.hag.boxes.kvasir import is_kvasir, parse_kvasir
from datamodules.hag.boxes.marked import Marked
from datamodules.hag.boxes.mask import read_mask
from datamodules.hag.boxes.text import SUN_LINE, lines_of, parse_polyp_txt, parse_sun, parse_yolo
from datamodules.hag.boxes.voc import CORNERS, parse_voc
from datamodules.hag.table import box_problem

__all__ = ["box_of_row", "parse_text", "read_boxes", "stem"]

Found = dict[str, list[Marked]]  # by the name of the frame, as it is written
KINDS = "VOC XML, JSON of COCO or Kvasir-SEG, CSV with image,xmin,ymin,xmax,ymax, SUN or YOLO text, or masks"


def stem(name: str) -> str:
    """What a frame is called: its name without folder, extension and _mask."""
    return parts_of(name)[-1]


def read_boxes(path: str | Path) -> tuple[Boxes, list[str]]:
    """(boxes by their frames, what is wrong with others). A folder is read file by file; frames without a polyp have no boxes.

    >>> boxes, problems = read_boxes("annotations/")
    >>> boxes.of("frames/001-002_34.jpg", "001-002_34.jpg")[0].box
    (110.0, 52.5, 340.0, 260.0)
    """
    path = Path(path)
    found = Boxes()
    if path.is_file():
        return found, _file(path, "", found)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    problems: list[str] = []
    files = [
        file for file in sorted(path.rglob("*")) if file.suffix.lower() in (".xml", ".json", ".csv", ".txt", *PICTURES) and file.is_file()
    ]
    for file in files:
        problems += _file(file, f"{file.parent.relative_to(path).as_posix()}/", found)
    if not files:
        raise DataError(f"{path}: no boxes in it; known are {KINDS}")
    return found, problems


def _file(file: Path, folder: str, found: Boxes) -> list[str]:
    """Adds what a file holds, and says what is wrong with others. folder: where it lies in the folder that is read."""
    kind, where = file.suffix.lower(), str(file)
    if kind == ".json":
        content = read_json(file)
        if is_kvasir(content):
            boxes, problems = parse_kvasir(content, where)
        elif is_coco(content):
            boxes, problems = parse_coco(content, where)
        else:
            raise DataError(f"{file}: JSON without a list 'annotations' is not COCO, nor is it Kvasir-SEG's; known are {KINDS}")
    elif kind == ".csv":
        boxes, problems = _csv(file)
    else:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: {error.strerror or error}") from None
        if kind == ".xml":
            marks, problems = parse_voc(data, where)
            boxes = {file.name: marks}
        elif kind in PICTURES:
            box, _ = read_mask(data, where)
            boxes, problems = {file.name: [] if box is None else [Marked(box, where=where)]}, []
        elif kind == ".txt":
            boxes, problems = parse_text(data, file.name, where)
        else:
            raise DataError(f"{file}: boxes cannot be read from this; known are {KINDS}")
    for name, marks in boxes.items():
        found.add(folder + name, marks, where)
    return problems


def parse_text(data: bytes, name: str, where: str) -> tuple[Found, list[str]]:
    """Text of whichever kind its first line is; SUN's, called as the folder of its images, names them; the others are called as their
    frame.
    """
    lines = lines_of(data, where)
    if lines and SUN_LINE.match(lines[0][1]):
        found, problems, _ = parse_sun(data, where)
        return {f"{stem(name)}/{image}": marks for image, marks in found.items()}, problems
    if lines and not lines[0][1][0].isdigit():
        marks, problems = parse_polyp_txt(data, where)
    else:
        marks, problems = parse_yolo(data, where)
    return {name: marks}, problems


def _csv(file: Path) -> tuple[Found, list[str]]:
    names = header(file)
    if not {"image", *CORNERS} <= set(names):
        raise DataError(f"{file}:1: no columns image,{','.join(CORNERS)}; rename or add them")
    rows, problems, _ = csv_rows(file)
    found: Found = {}
    for line, row in rows:
        box, wrong = box_of_row(row)
        if wrong:
            problems.append(f"{file}:{line}: {wrong}")
        else:
            marks = found.setdefault(row["image"], [])
            if box is not None:
                marks.append(Marked(box, row.get("polyp", ""), where=f"{file}:{line}"))
    return found, problems


def box_of_row(row: dict[str, str]) -> tuple[tuple[float, float, float, float] | None, str]:
    """(the box of a row of a CSV, or None where all four cells are empty; what is wrong)."""
    cells = [row.get(name, "") for name in CORNERS]
    if not any(cells):
        return None, ""
    try:
        left, top, right, lower = (float(cell) for cell in cells)
    except ValueError:
        return None, f"{','.join(cells)} are not four numbers; correct them or leave all empty"
    wrong = box_problem((left, top, right, lower))
    return (None, wrong) if wrong else ((left, top, right, lower), "")
