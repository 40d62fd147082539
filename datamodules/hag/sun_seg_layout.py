"""SUN-SEG: TrainDataset, Test{Easy,Hard}Dataset/{Seen,Unseen} with Frame/, GT/, Classification/, Detection/ by clips of cases."""

import re
from pathlib import Path

from datamodules.hag.boxes.coco import parse_coco, read_json
from datamodules.hag.boxes.marked import Marked
from datamodules.hag.boxes.text import lines_of
from datamodules.hag.sizes import read_sizes
from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore

__all__ = ["is_sun_seg", "read_sun_seg"]

PARTS = {
    "TrainDataset": "train",
    "TestEasyDataset/Seen": "",  # clips of cases that are in training, too
    "TestHardDataset/Seen": "",
    "TestEasyDataset/Unseen": "test",
    "TestHardDataset/Unseen": "test",
}
CLIP = re.compile(r"^case(\d+)(?:_\d+)?$")
BOXES, KINDS = "Detection/bbox_annotation.json", "Classification/classification.txt"


def is_sun_seg(path: Path) -> bool:
    return any((path / part / "Frame").is_dir() for part in PARTS)


def read_sun_seg(path: Path) -> PolypTable:
    """A case is one polyp of one patient, whatever part its clips lie in. The set's own parts are its splits, without Seen."""
    sizes, problems, table = read_sizes(path)
    rows: list[PolypFrame] = []
    seen = 0
    for part, split in PARTS.items():
        root = path / part
        if not (root / "Frame").is_dir():
            continue
        boxes: dict[str, list[Marked]] = {}
        if (root / BOXES).is_file():
            boxes, wrong = parse_coco(read_json(root / BOXES), str(root / BOXES))
            problems += wrong
        boxes = {_key(name): marks for name, marks in boxes.items()}
        kinds = _kinds(root / KINDS)
        for folder in sorted(item for item in (root / "Frame").iterdir() if item.is_dir()):
            if not (match := CLIP.match(folder.name)):
                problems.append(f"{folder}: no clip of a case (caseX_Y); rename or remove the folder")
                continue
            case = f"case{match[1]}"
            size = sizes.get(match[1])
            mm, censored = size if size else (None, False)
            for file in sorted(folder.glob("*.jpg")):
                marks = boxes.get(_key(file.stem), [])
                mask = f"{part}/GT/{folder.name}/{file.stem}.png"
                has_mask = (path / mask).is_file()
                box = marks[0].box if marks else None
                where = f"{file.relative_to(path)}"
                if box is None and not has_mask:
                    problems.append(f"{where}: neither in {BOXES} nor under GT; restore one of them")
                    continue
                seen += not split
                label = kinds.get(_key(file.stem), "")
                rows.append(
                    PolypFrame(
                        where, file.stem, case, case, box, mm, censored, label, mask=mask if has_mask else "", split=split, where=where
                    )
                )
    notes = [f"{seen} frames of 'Seen' clips have their case in training: the set's own splits leave them out"] if seen else []
    if not table:
        notes.append("no sizes: a CSV with the columns ID,Size beside TrainDataset would tell them")
    return assemble("sun-seg", str(path), FolderStore(path), rows, problems, notes)


def _key(name: str) -> str:
    """`case1_1-a2-image0001` and `case_M_..._a2_ayy_image0001` alike: what tells a frame, whatever joins it."""
    return re.sub(r"[^a-z0-9]+", "-", Path(name).name.lower().removesuffix(".jpg").removesuffix(".png"))


def _kinds(file: Path) -> dict[str, str]:
    """Lines `name TAB label`."""
    if not file.is_file():
        return {}
    cells = (line.split("\t") for _, line in lines_of(file.read_bytes(), str(file)))
    return {_key(row[0]): row[1].strip() for row in cells if len(row) == 2}
