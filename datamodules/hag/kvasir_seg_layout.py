"""Kvasir-SEG: images/ID.jpg, masks/ID.jpg, kavsir_bboxes.json (spelled so). Or bounding-boxes.json: HyperKvasir."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.hag.boxes.coco import read_json
from datamodules.hag.boxes.kvasir import boxes_of_entry
from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore

__all__ = ["is_kvasir_seg", "read_kvasir_seg"]

LISTS = ("kavsir_bboxes.json", "kvasir_bboxes.json", "bounding-boxes.json")


def is_kvasir_seg(path: Path) -> bool:
    return bool(_list(path))


def read_kvasir_seg(path: Path) -> PolypTable:
    """One record a picture: the box round all its boxes. Pictures of one patient are not told, so near-copies must be kept together."""
    root, file = _list(path)[0]
    content = read_json(file)
    problems: list[str] = []
    rows: list[PolypFrame] = []
    several, clipped = 0, 0
    store = FolderStore(root)
    for name, entry in sorted(content.items()) if isinstance(content, dict) else []:
        where = f"{file}: {name}"
        boxes, wrong = [], ""
        try:
            size = float(entry["width"]), float(entry["height"])
            for box, what, over in boxes_of_entry(entry, *size):
                wrong = wrong or what
                clipped += over
                boxes.append(box)
        except (KeyError, TypeError, ValueError):
            wrong = "no width, height and bbox of numbers"
        if wrong or not boxes:
            problems.append(f"{where}: {wrong or 'no polyp'}; correct or remove the entry")
            continue
        several += len(boxes) > 1
        whole = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
        mask = f"masks/{name}.jpg"
        rows.append(PolypFrame(f"images/{name}.jpg", name, name, name, whole, mask=mask if mask in store else "", where=where))
    unlisted = (
        {item.stem for item in (root / "images").glob("*.jpg")} - {row.frame for row in rows} if (root / "images").is_dir() else set()
    )
    notes = [f"{several} pictures with several boxes: the box round all of them counts"] if several else []
    if clipped:
        notes.append(f"{clipped} boxes over the frame's border (clipped)")
    if unlisted:
        notes.append(f"{len(unlisted)} pictures have no box in {file.name} and are not used; the first: {min(unlisted)}")
    if len(rows) == 0 and not problems:
        raise DataError(f"{file}: no pictures in it; fetch the list again")
    return assemble("kvasir-seg", str(path), store, rows, problems, notes, alone=True)


def _list(path: Path) -> list[tuple[Path, Path]]:
    """(folder of the pictures, list), also where the set's own folder lies in the one that is named."""
    if not path.is_dir():
        return []
    return [(root, root / name) for root in (path, path / "Kvasir-SEG") for name in LISTS if (root / name).is_file()]
