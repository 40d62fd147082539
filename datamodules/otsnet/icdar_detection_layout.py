"""ICDAR's photographs with quadrilaterals: `gt_img_1.txt` with `x1,y1,x2,y2,x3,y3,x4,y4,text`. Every word is cut out and made straight."""

import re
from pathlib import Path

from datamodules.otsnet.crops import quad_problem
from datamodules.otsnet.table import Collector, Quad, Table, split_of
from datamodules.otsnet.text_lines import PICTURES, lines
from datamodules.store import FolderStore

__all__ = ["is_icdar_detection", "read_icdar_detection"]

LIST = re.compile(r"gt_(.+)\.txt")
NOT_CARED_FOR = "###"


def is_icdar_detection(path: Path) -> bool:
    return bool(_folders(path))


def read_icdar_detection(path: Path) -> Table:
    """Lists beside their photographs, or in a folder beside that of the photographs."""
    collected = Collector("icdar-detection", path, FolderStore(path))
    left_out = 0
    for folder in _folders(path):
        photographs = _photographs(path, folder)
        for index in _lists(folder):
            stem = LIST.fullmatch(index.name)
            assert stem is not None
            picture = photographs.get(stem[1].lower())
            if picture is None:
                collected.problem(f"{index}: no picture {stem[1]}; restore it or remove the list")
                continue
            split, name = split_of(folder.name, path.resolve().name), folder.resolve().name
            for number, line in lines(index):
                where = f"{index}:{number}"
                cells = line.split(",", 8)  # the text may hold commas
                try:
                    x0, y0, x1, y1, x2, y2, x3, y3 = (float(cell) for cell in cells[:8])
                    label = cells[8]
                except (ValueError, IndexError):
                    collected.problem(f"{where}: not eight numbers and a text; correct the line")
                    continue
                if label == NOT_CARED_FOR:
                    left_out += 1
                    continue
                quad: Quad = (x0, y0, x1, y1, x2, y2, x3, y3)
                if wrong := quad_problem(quad):
                    collected.problem(f"{where}: {label!r}: {wrong}; correct or remove it")
                else:
                    collected.add(picture.relative_to(path).as_posix(), label, split, name, where, quad)
    if left_out:
        collected.note(f"{left_out} places marked {NOT_CARED_FOR} are left out")
    return collected.table


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    places = [path, *(folder for folder in sorted(path.iterdir()) if folder.is_dir())]
    return [place for place in places if next(_lists(place), None) is not None]


def _lists(folder: Path):
    yield from sorted(file for file in folder.glob("gt_*.txt") if LIST.fullmatch(file.name) and _is_list(file))


def _is_list(file: Path) -> bool:
    with file.open("rb") as opened:
        cells = opened.read(400).removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].split(b",")
    return len(cells) >= 9 or cells == [b""]


def _photographs(root: Path, folder: Path) -> dict[str, Path]:
    """By stem: of the same folder, else of the one beside it that speaks of the same split."""
    places = [folder, *(place for place in sorted(root.iterdir()) if place.is_dir() and place != folder)]
    if split := split_of(folder.name):
        places = [folder, *(place for place in places[1:] if split_of(place.name) == split)]
    found: dict[str, Path] = {}
    for place in places:
        for file in place.iterdir():
            if file.suffix.lower() in PICTURES:
                found.setdefault(file.stem.lower(), file)
    return found
