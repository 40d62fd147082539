"""Pascal VOC XML, in anybody's order of tags: REAL-Colon writes xmax before ymin."""

from xml.etree import ElementTree

from datamodules.errors import DataError
from datamodules.hag.boxes.marked import Marked
from datamodules.hag.table import box_problem

__all__ = ["CORNERS", "parse_voc"]

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def parse_voc(data: bytes, where: str) -> tuple[list[Marked], list[str]]:
    """(boxes, what is wrong with others). `unique_id`, where an object has one, says which polyp it is. No object, no box."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise DataError(f"{where}: XML with definitions of its own, which are never followed; write it without")
    try:
        root = ElementTree.fromstring(data)  # without definitions there is nothing to expand
    except ElementTree.ParseError as error:
        raise DataError(f"{where}: not readable XML ({error}); restore the file") from None
    size = _size(root)
    found, problems = [], []
    for item in root.iter("object"):
        box = item.find("bndbox")
        cells = [None if box is None else box.findtext(tag) for tag in CORNERS]
        name = (item.findtext("unique_id") or "").strip()
        called = f"{where}: object {name or len(found) + len(problems) + 1}"
        try:
            left, top, right, lower = (float(cell) for cell in cells if cell is not None)
        except ValueError:
            problems.append(f"{called} has no box of four numbers; restore it or remove the object")
            continue
        if wrong := box_problem((left, top, right, lower)):
            problems.append(f"{called}: {wrong}")
        else:
            found.append(Marked((left, top, right, lower), name, where=where, size=size))
    return found, problems


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (round(float(root.findtext(f"size/{tag}") or "0")) for tag in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
