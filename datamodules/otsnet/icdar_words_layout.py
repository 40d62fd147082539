"""ICDAR's word pictures (Challenge 2 and 4): `word_1.png, "Tiredness"` in gt.txt, quotes and backslashes in the word escaped."""

import re
from pathlib import Path

from datamodules.beside import store_beside
from datamodules.otsnet.joining import join
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import PICTURES, first_line, lines
from datamodules.store import FolderStore

__all__ = ["escaped", "is_icdar_words", "read_icdar_words", "unescaped"]

ROW = re.compile(r'\s*([^,]+?)\s*, ?"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)  # only the first comma separates
UNSTRICT = re.compile(r'\s*([^,]+?)\s*, ?"(.*)"\s*', re.DOTALL)  # some lists leave quotes inside as they are


def is_icdar_words(path: Path) -> bool:
    return bool(_lists(path))


def read_icdar_words(path: Path) -> Table:
    tables = {file.stem if file.parent == path else f"{file.parent.name}/{file.stem}": _read(file) for file in _lists(path)}
    return next(iter(tables.values())) if len(tables) == 1 else join("icdar-words", path, tables)


def unescaped(label: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", label)


def escaped(label: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", label)


def _read(index: Path) -> Table:
    rows, problems = [], []
    for number, line in lines(index):
        found = ROW.fullmatch(line) or UNSTRICT.fullmatch(line)
        if found:
            rows.append((number, found[1], unescaped(found[2])))
        else:
            problems.append(f'{index}:{number}: not of the form word_1.png, "text"; correct the line')
    folder = index.parent.resolve()
    # the truth of a test set lies beside the folder with its pictures
    others = tuple(place for place in sorted(folder.iterdir()) if place.is_dir())
    store = store_beside(index, [file for _, file, _ in rows], others)
    place = store.root.resolve() if isinstance(store, FolderStore) else folder
    split = split_of(index.stem, place.name, folder.name)
    collected = Collector("icdar-words", index, store)
    for problem in problems:
        collected.problem(problem)
    for number, file, label in rows:
        collected.add(file, label, split, place.name, f"{index}:{number}")
    return collected.table


def _lists(path: Path) -> list[Path]:
    """Of a folder, and of the folders in it: the sets of a challenge are unpacked side by side."""
    if path.is_file():
        files = [path] if path.suffix.lower() == ".txt" else []
    else:
        files = sorted(file for pattern in ("*.txt", "*/gt.txt") for file in path.glob(pattern))
    return [file for file in files if (found := UNSTRICT.fullmatch(first_line(file))) and found[1].lower().endswith(PICTURES)]
