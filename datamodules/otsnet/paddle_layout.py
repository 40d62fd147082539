"""PaddleOCR's lists for recognition: `relative/path.jpg<TAB>label` a line, in .txt files beside the pictures' folders."""

from pathlib import Path

from datamodules.beside import store_beside
from datamodules.errors import DataError
from datamodules.otsnet.joining import join
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import PICTURES, first_line, lines

__all__ = ["is_paddle", "read_paddle"]


def is_paddle(path: Path) -> bool:
    return bool(_lists(path))


def read_paddle(path: Path) -> Table:
    tables = {file.stem: _read(file) for file in _lists(path)}
    return next(iter(tables.values())) if len(tables) == 1 else join("paddle", path, tables)


def _read(index: Path) -> Table:
    rows, problems = [], []
    for number, line in lines(index):
        file, tab, label = line.partition("\t")
        if label.startswith('[{"transcription"'):
            raise DataError(f"{index}:{number}: a list for detection; crop its words first, or give the list for recognition")
        if not tab or "\t" in label:
            problems.append(f"{index}:{number}: not a path, one tab and a label; correct the line")
        else:
            rows.append((number, file.strip(), label))
    collected = Collector("paddle", index, store_beside(index, [file for _, file, _ in rows], (index.parent.resolve().parent,)))
    for problem in problems:
        collected.problem(problem)
    for number, file, label in rows:
        collected.add(file, label, split_of(index.stem), index.parent.resolve().name, f"{index}:{number}")
    return collected.table


def _lists(path: Path) -> list[Path]:
    files = [path] if path.suffix.lower() == ".txt" else sorted(path.glob("*.txt")) if path.is_dir() else []
    return [file for file in files if _is_list(first_line(file))]


def _is_list(line: str) -> bool:
    file, tab, _ = line.partition("\t")
    return bool(tab) and file.strip().lower().endswith(PICTURES)
