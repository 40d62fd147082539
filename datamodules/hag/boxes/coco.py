"""COCO JSON: boxes as x, y, width, height. SUN-SEG calls its list `annotation` and names images by their ids."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from datamodules.errors import DataError
from datamodules.hag.boxes.marked import Marked
from datamodules.hag.table import box_problem

__all__ = ["is_coco", "parse_coco", "read_json"]

LISTS = ("annotations", "annotation")


def read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{file}: not readable JSON ({error}); restore the file") from None


def is_coco(content: Any) -> bool:
    return isinstance(content, dict) and any(isinstance(content.get(name), list) for name in LISTS)


def parse_coco(content: Any, where: str) -> tuple[dict[str, list[Marked]], list[str]]:
    """(boxes by file name, or by image id where no name is stated; what is wrong with others)."""
    if not is_coco(content):
        raise DataError(f"{where}: no list 'annotations'; it is not COCO")
    images = {image.get("id"): image for image in content.get("images", []) if isinstance(image, dict)}
    found, problems = defaultdict(list), []
    for number, item in enumerate(next(content[name] for name in LISTS if isinstance(content.get(name), list))):
        called = f"{where}: annotation {number}"
        if not isinstance(item, dict) or not _four(item.get("bbox")):
            problems.append(f"{called} has no bbox of four numbers; restore it or remove it")
            continue
        left, top, width, height = item["bbox"]
        box = (float(left), float(top), float(left) + float(width), float(top) + float(height))
        if wrong := box_problem(box):
            problems.append(f"{called}: {wrong}")
            continue
        key = item.get("image_id", item.get("id"))
        image = images.get(key, {})
        size = (image["width"], image["height"]) if image.get("width") and image.get("height") else None
        polyp = str(item.get("polyp") or item.get("track_id") or "")
        found[str(image.get("file_name", key))].append(Marked(box, polyp, where=called, size=size))
    return dict(found), problems


def _four(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)
