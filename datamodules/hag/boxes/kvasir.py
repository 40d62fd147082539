"""Kvasir-SEG's own JSON (kavsir_bboxes.json, bounding-boxes.json): pictures by their names, each with its size and its boxes."""

from collections.abc import Iterator
from typing import Any

from datamodules.hag.boxes.marked import Marked
from datamodules.hag.table import Box, box_problem, clip

__all__ = ["boxes_of_entry", "is_kvasir", "parse_kvasir"]

SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_kvasir(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(entry, dict) and "bbox" in entry for entry in content.values())


def parse_kvasir(content: dict[str, Any], where: str) -> tuple[dict[str, list[Marked]], list[str]]:
    """(boxes by the names of pictures; what is wrong with others)."""
    found: dict[str, list[Marked]] = {}
    problems: list[str] = []
    for name, entry in content.items():
        called = f"{where}: {name}"
        marks = found.setdefault(name, [])
        try:
            width, height = float(entry["width"]), float(entry["height"])
            for box, wrong, _ in boxes_of_entry(entry, width, height):
                if wrong:
                    problems.append(f"{called}: {wrong}; correct or remove the entry")
                else:
                    marks.append(Marked(box, where=called, size=(round(width), round(height))))
        except (KeyError, TypeError, ValueError):
            problems.append(f"{called}: no width, height and bbox of numbers; correct or remove the entry")
    return found, problems


def boxes_of_entry(entry: Any, width: float, height: float) -> Iterator[tuple[Box, str, bool]]:
    """(box within the picture, what is wrong with it, whether it was clipped) of each polyp."""
    for item in entry["bbox"]:
        left, top, right, lower = (float(item[side]) for side in SIDES)
        if wrong := box_problem((left, top, right, lower)):
            yield (left, top, right, lower), wrong, False
        else:
            inner, over = clip((left, top, right, lower), width, height)
            yield inner, "the box lies outside the frame" if box_problem(inner) else "", over
