"""What masks say: the box of a polyp, and the share of the frame that it fills, in the terciles of Kvasir-SEG."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from datamodules.errors import DataError
from datamodules.hag.boxes.mask import read_mask
from datamodules.hag.table import PolypFrame, PolypTable
from datamodules.look import READERS
from datamodules.store import Store

__all__ = ["AREA_CLASSES", "AREA_CUTS", "area_class", "with_masks"]

AREA_CLASSES = ("little", "middling", "much")  # of the frame is polyp: no size in mm, which nothing in one frame tells
AREA_CUTS = (0.07670, 0.16787)  # the terciles of 998 frames of Kvasir-SEG


def area_class(area: Any) -> Any:
    """0, 1, 2 of a share of the frame. Numbers and arrays alike."""
    low, high = AREA_CUTS
    return (area > low) * 1 + (area > high) * 1


def with_masks(table: PolypTable, areas: bool = False) -> PolypTable:
    """Boxes of the masks where there is no other, and with `areas` the share of the frame. A frame whose mask is empty has no polyp."""

    def needs(record: PolypFrame) -> bool:
        return bool(record.mask) and (record.box is None or (areas and record.area is None))

    wanted = list(dict.fromkeys(record.mask for record in table.records if needs(record)))
    if not wanted:
        return table
    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(wanted, pool.map(lambda mask: _mask(table.store, mask), wanted), strict=True))
    records, problems, empty = [], list(table.problems), 0
    for record in table.records:
        if not needs(record):
            records.append(record)
            continue
        look = found[record.mask]
        if isinstance(look, str):
            problems.append(look)
        elif look[0] is None:
            empty += 1
        else:
            records.append(record._replace(box=record.box or look[0], area=look[1] if record.area is None else record.area))
    notes = [*table.notes, *([f"{empty} frames with an empty mask have no polyp and are not used"] if empty else [])]
    return replace(table, records=records, problems=problems, notes=notes)


def _mask(store: Store, file: str) -> Any:
    try:
        return read_mask(store.read(file), store.where(file))
    except DataError as error:
        return str(error)
