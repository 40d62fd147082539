"""A CSV that names every picture, its identity, its split and, where it is known, its camera; pictures beside it or in a zip."""

from pathlib import Path

from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.dcal.reid_table import REID_SPLITS, ReidTable, Sighting, assemble_sightings, picked_queries
from datamodules.errors import DataError

__all__ = ["IDENTITY", "is_reid_csv", "read_reid_csv"]

IDENTITY = ("identity", "label", "person", "vehicle")  # columns that say who, the first that is there
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "query": "query", "gallery": "gallery", "test": "test"}


def is_reid_csv(path: Path) -> bool:
    return bool(_indices(path))


def read_reid_csv(path: Path) -> ReidTable:
    """`split` is train, val, query or gallery. Where it is `test`, the column `role` says query or gallery; else queries are picked."""
    found = _indices(path)
    if len(found) > 1:
        raise DataError(f"{path}: several indices ({', '.join(file.name for file in found)}); name the CSV itself")
    index = found[0]
    rows, problems, columns = csv_rows(index)
    if "split" not in columns:
        raise DataError(f"{index}:1: no column 'split' (train, val, query, gallery): splits of identities are not made up here; add it")
    identity = next(name for name in IDENTITY if name in columns)
    notes = [] if "camera" in columns else ["no column 'camera': no picture's camera is known"]
    records = []
    for line, row in rows:
        where = f"{index}:{line}"
        split = SPLIT_NAMES.get(row["split"].lower())
        role = row.get("role", "").lower()
        if split == "test" and role in ("query", "gallery"):
            split = role
        if not row["file"]:
            problems.append(f"{where}: no file name; remove the row")
        elif not row[identity]:
            problems.append(f"{where}: no {identity}; fill it in or remove the row")
        elif split is None:
            problems.append(f"{where}: split {row['split']!r} is not one of {', '.join(REID_SPLITS)} or test")
        else:
            records.append(Sighting(row["file"], row[identity], row.get("camera") or None, split, where))
    if open_ := [record for record in records if record.split == "test"]:
        queries = picked_queries(open_)
        records = [
            record._replace(split="query" if record.file in queries else "gallery") if record.split == "test" else record
            for record in records
        ]
        notes.append(
            f"test pictures without a role: {len(queries)} of {len(open_)}, one an identity and camera, picked by name, are queries"
        )
    store = store_beside(index, [row["file"] for _, row in rows])
    return assemble_sightings("reid-csv", str(path), store, records, problems, notes)


def _indices(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" else []
    return [file for file in candidates if _names_identities(file)]


def _names_identities(file: Path) -> bool:
    """A column that only re-identification has, or a split that only it has."""
    columns = set(header(file))
    if "file" not in columns or not columns & set(IDENTITY):
        return False
    if columns & {"camera", "role", "identity", "person", "vehicle"}:
        return True
    return "split" in columns and any(row["split"].lower() in ("query", "gallery") for _, row in csv_rows(file)[0])
