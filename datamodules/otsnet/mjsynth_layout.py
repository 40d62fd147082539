"""MJSynth (Synth90k): `./2425/1/115_Lube_45484.jpg 45484` in annotation_train.txt; the word is the middle part of the file's name."""

from pathlib import Path

from datamodules.errors import DataError
from datamodules.otsnet.table import Collector, Table
from datamodules.otsnet.text_lines import lines
from datamodules.store import FolderStore

__all__ = ["is_mjsynth", "read_mjsynth"]

PLACES = ("", "mnt/ramdisk/max/90kDICT32px", "90kDICT32px")


def is_mjsynth(path: Path) -> bool:
    return _root(path) is not None


def read_mjsynth(path: Path) -> Table:
    """A few of its pictures are known to be broken: train with skip_broken."""
    root = _root(path)
    assert root is not None
    collected = Collector("mjsynth", path, FolderStore(root))
    for split in ("train", "val", "test"):
        index = root / f"annotation_{split}.txt"
        if not index.is_file():
            collected.note(f"no {index.name}: its words are left out")
            continue
        for number, line in lines(index):
            file = line.split(" ")[0].removeprefix("./")
            parts = file.rpartition("/")[2].split("_")
            if len(parts) != 3:
                collected.problem(f"{index}:{number}: {file!r} is not number_WORD_number.jpg; correct the line")
            else:
                collected.add(file, parts[1], split, "mjsynth", f"{index}:{number}")
    if not collected.table.records:
        raise DataError(f"{root}: none of the pictures of its lists is there; unpack mjsynth.tar.gz here")
    return collected.table


def _root(path: Path) -> Path | None:
    return next((root for place in PLACES if any((root := path / place).glob("annotation_*.txt"))), None) if path.is_dir() else None
