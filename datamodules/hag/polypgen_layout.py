"""PolypGen: data_C1 .. data_C6, each with images_Cx/, masks_Cx/NAME_mask.jpg and bbox_Cx/NAME[_mask].txt; frames of six centres."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.hag.boxes.text import parse_polyp_txt
from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore

__all__ = ["is_polypgen", "read_polypgen"]

CENTRES = tuple(f"C{number}" for number in range(1, 7))


def is_polypgen(path: Path) -> bool:
    return any((path / f"data_{centre}" / f"images_{centre}").is_dir() for centre in CENTRES)


def read_polypgen(path: Path) -> PolypTable:
    """The box round all boxes of a frame; of some frames there are masks alone. Patients are not told, so near-copies are kept together."""
    store = FolderStore(path)
    rows: list[PolypFrame] = []
    problems: list[str] = []
    without, several, masked = 0, 0, 0
    for centre in CENTRES:
        root = f"data_{centre}"
        folder = path / root / f"images_{centre}"
        for file in sorted(folder.glob("*.jpg")) if folder.is_dir() else []:
            stems = [file.stem, file.stem.rstrip("_")]  # one picture has an underscore more than its mask
            mask = next((name for s in stems if (name := f"{root}/masks_{centre}/{s}_mask.jpg") in store), "")
            text = next((name for s in stems for end in ("", "_mask") if (name := f"{root}/bbox_{centre}/{s}{end}.txt") in store), "")
            where = f"{root}/images_{centre}/{file.name}"
            if not text and not mask:
                problems.append(f"{where}: neither box nor mask; restore one of them")
                continue
            box = None
            if text:
                try:
                    marks, wrong = parse_polyp_txt(store.read(text), store.where(text))
                except DataError as error:
                    marks, wrong = [], [str(error)]
                problems += wrong
                if not marks:
                    without += not wrong
                    continue
                several += len(marks) > 1
                boxes = [mark.box for mark in marks]
                box = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
            masked += box is None
            rows.append(PolypFrame(where, file.stem, file.stem, file.stem, box, mask=mask, centre=centre, where=text and store.where(text)))
    notes = [f"{len({row.centre for row in rows})} of {len(CENTRES)} centres are here"]
    notes += [f"{without} frames without a polyp are not used"] if without else []
    notes += [f"{several} frames with several polyps: the box round all of them counts"] if several else []
    notes += [f"{masked} frames without a text of boxes: the box of the mask counts"] if masked else []
    return assemble("polypgen", str(path), store, rows, problems, notes, alone=True)
