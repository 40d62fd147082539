"""MMOCR's lists: of version 0 `*_label.txt` with `file text`, of version 1 a JSON with metainfo and data_list."""

from pathlib import Path
from typing import Any

from datamodules.beside import store_beside
from datamodules.errors import DataError
from datamodules.otsnet.joining import join
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import PICTURES, first_line, json_of, lines, read_list

__all__ = ["is_mmocr", "read_mmocr"]

ROWS = list[tuple[str, str, str]]  # place, file, label


def is_mmocr(path: Path) -> bool:
    return bool(_lists(path))


def read_mmocr(path: Path) -> Table:
    tables = {file.stem: _read(file) for file in _lists(path)}
    return next(iter(tables.values())) if len(tables) == 1 else join("mmocr", path, tables)


def _read(index: Path) -> Table:
    problems: list[str] = []
    rows = _old(index, problems) if index.suffix == ".txt" else _new(index, problems)
    collected = Collector("mmocr", index, store_beside(index, [file for _, file, _ in rows], (index.parent.resolve().parent,)))
    for problem in problems:
        collected.problem(problem)
    for where, file, label in rows:
        collected.add(file, label, split_of(index.stem, index.parent.resolve().name), index.parent.resolve().name, where)
    return collected.table


def _old(index: Path, problems: list[str]) -> ROWS:
    rows = []
    for number, line in lines(index):
        file, blank, label = line.partition(" ")
        if blank:
            rows.append((f"{index}:{number}", file, label))
        else:
            problems.append(f"{index}:{number}: not a file, one blank and a text; correct the line")
    return rows


def _new(index: Path, problems: list[str]) -> ROWS:
    rows = []
    for number, entry in enumerate(_data_list(index), 1):
        where = f"{index}:{number}"
        try:
            (instance,) = entry["instances"]
            file, label = entry["img_path"], instance["text"]
        except (TypeError, KeyError, ValueError):
            file = label = None
        if isinstance(file, str) and isinstance(label, str):
            rows.append((where, file, label))
        else:
            problems.append(f"{where}: not one img_path with one text; lists for detection are not read")
    return rows


def _data_list(index: Path) -> list[Any]:
    content = json_of(read_list(index), str(index))
    found = content.get("data_list") if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{index}: no data_list; not a set of MMOCR")
    return found


def _lists(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted([*path.glob("*_label.txt"), *path.glob("*.json")])
    return [file for file in files if (_is_old(first_line(file)) if file.suffix == ".txt" else file.suffix == ".json" and _is_new(file))]


def _is_old(line: str) -> bool:
    file, blank, _ = line.partition(" ")
    return bool(blank) and "\t" not in line and file.lower().endswith(PICTURES)


def _is_new(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(1 << 16)
    return b'"data_list"' in head or (b'"metainfo"' in head and b"textrecog" in head)
