"""A CSV that names every image, its person and family, and where they are known kind (or zygosity), visit, yaw, split and points.

Points are five, in ten columns, or 5, 68 or 468 in a file that the column `landmarks` names (datamodules.ahan.points_file).
"""

from pathlib import Path

from datamodules.ahan.points_file import parse_points
from datamodules.ahan.table import KINDS, Face, FaceTable, assemble_faces
from datamodules.ahan.template import POINTS
from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.store import Store, inside

__all__ = ["YAW", "faces_column", "is_faces_csv", "read_faces_csv", "yaw_range"]

COLUMNS = {"image", "person"}
KIND_OF = {kind.lower(): kind for kind in KINDS}
YAW, BACK = "yaw", 180.0
STEPS = (15, 30, 45)  # degrees, to either side
SPLITS = {"": "", "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
POINT_COLUMNS = tuple(f"{name}_{axis}" for name in POINTS for axis in "xy")


def is_faces_csv(path: Path) -> bool:
    return bool(_indices(path))


def read_faces_csv(path: Path) -> FaceTable:
    """`session` is the visit, or where there is none the day that `captured` says. People without a family are one of their own."""
    found = _indices(path)
    if len(found) > 1:
        raise DataError(f"{path}: several lists ({', '.join(file.name for file in found)}); name the CSV itself")
    index = found[0]
    rows, problems, columns = csv_rows(index)
    given = [name for name in POINT_COLUMNS if name in columns]
    if given and len(given) < len(POINT_COLUMNS):
        lacking = next(name for name in POINT_COLUMNS if name not in columns)
        raise DataError(f"{index}:1: no column {lacking!r}: give all ten coordinates of the five points, or none")
    if given and "landmarks" in columns:
        raise DataError(f"{index}:1: both ten columns of points and a column 'landmarks'; leave one of them out")
    store = store_beside(index, [row["image"] for _, row in rows])
    faces, home, kinds = [], {}, {}
    for line, row in rows:
        where = f"{index}:{line}"
        family = row.get("family") or row["person"]
        kind, unsure = _kind(row)
        yaw = _yaw(row.get(YAW, ""))
        split = SPLITS.get(row.get("split", "").lower())
        points, wrong = _points(row) if given else _landmarks(row.get("landmarks", ""), store)
        if not row["image"] or not row["person"]:
            problems.append(f"{where}: no {'image' if not row['image'] else 'person'}; fill it in or remove the row")
        elif unsure:
            problems.append(f"{where}: {unsure}")
        elif kinds.setdefault(row["person"], kind) != kind:
            problems.append(f"{where}: {row['person']!r} is of the kinds {kinds[row['person']]!r} and {kind!r}; decide on one")
        elif yaw is not None and not abs(yaw) <= BACK:
            problems.append(f"{where}: yaw {row[YAW]!r} is no angle of -180 to 180 degrees, 0 for a frontal face")
        elif split is None:
            problems.append(f"{where}: split {row['split']!r} is not one of train, val, test")
        elif home.setdefault(row["person"], family) != family:
            problems.append(f"{where}: {row['person']!r} is in the families {home[row['person']]!r} and {family!r}; decide on one")
        elif wrong:
            problems.append(f"{where}: {wrong}")
        else:
            visit = row.get("session") or row.get("captured") or None
            faces.append(Face(row["image"], row["person"], family, split, visit, kind, points, where=where, yaw=yaw))
    some = {bool(face.split) for face in faces}
    if len(some) > 1:
        problems += [f"{face.where}: no split, but other rows have one; fill it in" for face in faces if not face.split]
    return assemble_faces("faces-csv", str(path), store, faces, problems=problems)


def faces_column(path: Path, name: str) -> dict[str, str]:
    """image -> its cell in a column of one's own."""
    found = _indices(path)
    if len(found) != 1:
        raise DataError(f"{path}: a column {name!r} can be of one CSV with image and person; there are {len(found)} of those")
    rows, _, columns = csv_rows(found[0])
    if name.lower() not in columns:
        raise DataError(f"{found[0]}:1: no column {name!r}; there are {', '.join(columns)}")
    return {row["image"]: row[name.lower()] for _, row in rows}


def yaw_range(cell: str) -> str:
    """Of a cell of the column yaw, which group of poses: a name that sorts as the angles do; "" where nothing is said."""
    yaw = _yaw(cell)
    if yaw is None:
        return ""
    inside = next((step for step in STEPS if abs(yaw) < step), None)
    return f"{STEPS[-1]} degrees or more" if inside is None else f"{inside - STEPS[0]:02} to {inside} degrees"


def _kind(row: dict[str, str]) -> tuple[str, str]:
    """(of KINDS, or empty where nothing is said; what is wrong)."""
    cells = [cell for cell in (row.get("kind"), row.get("zygosity")) if cell]
    found = {KIND_OF.get(cell.lower()) for cell in cells}
    if None in found:
        return "", f"kind {next(cell for cell in cells if cell.lower() not in KIND_OF)!r} is not one of {', '.join(KINDS)}"
    if len(found) > 1:
        return "", f"kind {cells[0]!r} and zygosity {cells[1]!r} say two things; decide on one"
    return next(iter(found), None) or "", ""


def _yaw(cell: str) -> float | None:
    """Degrees; NaN where they are none."""
    try:
        return float(cell) if cell else None
    except ValueError:
        return float("nan")


def _points(row: dict[str, str]) -> tuple[tuple[float, ...] | None, str]:
    """(ten coordinates, or none where all are empty; what is wrong)."""
    cells = [row[name] for name in POINT_COLUMNS]
    if not any(cells):
        return None, ""
    try:
        points = tuple(float(cell) for cell in cells)
    except ValueError:
        return None, "points that are no numbers; correct them or leave all ten empty"
    if not all(abs(value) < 1e6 for value in points):  # also of NaN
        return None, "points that lie nowhere; correct them or leave all ten empty"
    return points, ""


def _landmarks(name: str, store: Store) -> tuple[tuple[float, ...] | None, str]:
    """(coordinates, or none where no file is named; what is wrong)."""
    if not name:
        return None, ""
    if not inside(name) or name not in store:
        return None, f"no landmarks {name!r} beside the images; restore the file or leave the cell empty"
    try:
        return parse_points(store.read(name), store.where(name)), ""
    except DataError as error:
        return None, str(error)


def _indices(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" and path.is_file() else []
    return [file for file in candidates if set(header(file)) >= COLUMNS]
