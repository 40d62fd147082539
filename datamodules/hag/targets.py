"""What is learned of frames on disk: the size in mm, the tercile of the area that a mask fills, or a label."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from datamodules.errors import DataError
from datamodules.hag.areas import area_class
from datamodules.hag.dataset import Facts
from datamodules.hag.table import PolypTable
from datamodules.headers import probe

__all__ = ["Target", "boxes_of", "facts_of", "refuse_untaught"]

Target = Literal["size", "area", "label"]


def refuse_untaught(table: PolypTable, target: Target) -> None:
    """A size may be unknown on some frames; an area and a label may not."""
    trained = table.of("train")
    lacks = {
        "size": ("size in mm; target=area learns the share of the frame where there are masks", any(r.mm is not None for r in trained)),
        "area": ("mask or area; target=size learns mm where they are known", any(r.area is not None for r in trained)),
        "label": ("label; target=size or area learns something else", any(r.label for r in trained)),
    }
    if target not in lacks:
        raise DataError(f"target {target!r} is not one of {', '.join(lacks)}")
    words, there = lacks[target]
    if not there:
        raise DataError(f"{table.source}: no training frame has a {words}")
    untold = {
        "area": [r.where or r.file for r in table.records if r.area is None],
        "label": [r.where or r.file for r in table.records if not r.label],
    }.get(target, [])
    if untold:
        remedy = "restore the masks" if target == "area" else "fill them in"
        raise DataError(f"{table.source}: {len(untold)} frames have no {target}, the first: {untold[0]}; {remedy} or remove the frames")


def facts_of(table: PolypTable, rows: Sequence[int], target: Target) -> Facts:
    records = [table.records[row] for row in rows]
    sized = np.array([target == "size" and record.mm is not None for record in records], bool)
    if target == "size":
        labels = [-1] * len(records)
    elif target == "area":
        labels = [area_class(record.area) for record in records]
    else:
        number = {name: at for at, name in enumerate(table.classes)}
        labels = [number[record.label] for record in records]
    places = np.array(rows, np.int64)
    return Facts(
        np.array([record.mm or 0.0 for record in records], np.float32) * sized,
        sized,
        np.array([record.censored for record in records], bool) & sized,
        np.array(labels, np.int64),
        table.polyp_numbers[places],
        places,
    )


def boxes_of(table: PolypTable, rows: Sequence[int]) -> np.ndarray:
    """float32 (n,4) in 0..1 of the letterboxed frame, whose size its source or its file says; the whole frame where there is no box."""
    found = []
    for record in (table.records[row] for row in rows):
        shape = record.shape or _shape(table.store.read(record.file))
        if record.box is None or shape is None:
            found.append((0.0, 0.0, 1.0, 1.0))
            continue
        width, height = shape
        side = max(width, height)
        found.append(tuple((np.array(record.box) + np.array([(side - width) / 2, (side - height) / 2] * 2)) / side))
    return np.array(found, np.float32).reshape(-1, 4)


def _shape(data: bytes) -> tuple[int, int] | None:
    """Width and height as the first bytes of a picture say them."""
    header = probe(data)
    if header is None:
        return None
    return (header.height, header.width) if header.turn >= 5 else (header.width, header.height)
