"""A CSV with the columns file and label, and maybe split and set; pictures beside it or in an archive. Quoted as a CSV is."""

from pathlib import Path

from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.otsnet.table import Collector, Table, split_of

__all__ = ["is_csv", "read_csv"]


def is_csv(path: Path) -> bool:
    return bool(_indices(path))


def read_csv(path: Path) -> Table:
    found = _indices(path)
    if len(found) > 1:
        raise DataError(f"{path}: several indices ({', '.join(file.name for file in found)}); name the CSV itself")
    index = found[0]
    rows, problems, columns = csv_rows(index)
    collected = Collector("csv", path, store_beside(index, [row["file"] for _, row in rows]))
    for problem in problems:
        collected.problem(problem)
    label = "text" if "text" in columns else "label"
    for line, row in rows:
        where, said = f"{index}:{line}", row.get("split", "")
        split = split_of(said)
        if said and not split:
            collected.problem(f"{where}: split {said!r} is not one of train, val, test; correct it")
        else:
            collected.add(row["file"], row[label], split, row.get("set") or index.parent.resolve().name, where)
    return collected.table


def _indices(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" else []
    return [file for file in candidates if "file" in (columns := header(file)) and ("label" in columns or "text" in columns)]
