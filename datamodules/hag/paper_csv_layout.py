"""Split lists of the authors' release: polypsizing_{real,sun}_partN.csv, kfold_polypsizing_lists_per_object.csv; paths with a $NAME."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.hag.sizes import mm_of
from datamodules.hag.table import PolypFrame, PolypTable, assemble, box_problem, clip
from datamodules.store import FolderStore

__all__ = ["ROOTS", "RootsStore", "is_paper_csv", "read_paper_csv"]

ROOTS = ("REAL_COLON_PATH", "SUN_DATA_PATH")
COLUMNS = {"database", "unique_id", "frame_id", "bbox_xmin", "bbox_xmax", "bbox_ymin", "bbox_ymax", "width", "height", "frame_path", "gt"}
FOLDS = 6


class RootsStore:
    """Files below several folders: `$NAME/rest`. Nothing is taken from the environment."""

    def __init__(self, roots: Mapping[str, str]):
        self.stores = {name: FolderStore(Path(folder)) for name, folder in roots.items()}

    def _find(self, name: str) -> tuple[FolderStore, str]:
        root, _, rest = name.removeprefix("$").partition("/")
        return self.stores[root], rest

    def __contains__(self, name: str) -> bool:
        store, rest = self._find(name)
        return rest in store

    def where(self, name: str) -> str:
        store, rest = self._find(name)
        return store.where(rest)

    def read(self, name: str) -> bytes:
        store, rest = self._find(name)
        return store.read(rest)

    def mark(self, name: str) -> str:
        store, rest = self._find(name)
        return store.mark(rest)


def is_paper_csv(path: Path) -> bool:
    return bool(_lists(path))


def read_paper_csv(path: Path, roots: Mapping[str, str] | None = None) -> PolypTable:
    """With the k-fold list its rows and folds, else all parts together. roots: folder of REAL_COLON_PATH and of SUN_DATA_PATH."""
    roots = dict(roots or {})
    if unknown := [name for name in roots if name not in ROOTS]:
        raise DataError(f"roots: {unknown[0]!r} is not one of {', '.join(ROOTS)}")
    lists = _lists(path)
    lists = [file for file in lists if "kfold_id" in header(file)] or lists
    problems: list[str] = []
    rows: dict[tuple[str, str], PolypFrame] = {}
    needed: dict[str, str] = {}
    doubles, clipped = 0, 0
    for file in lists:
        found, wrong, _ = csv_rows(file)
        problems += wrong
        for line, row in found:
            where = f"{file}:{line}"
            root = PurePosixPath(row["frame_path"]).parts[0] if row["frame_path"] else ""
            if root.removeprefix("$") not in ROOTS or not root.startswith("$"):
                problems.append(f"{where}: frame_path begins with {root!r}, not with ${' or $'.join(ROOTS)}; correct it")
                continue
            if root[1:] not in roots:
                needed.setdefault(root[1:], where)
                continue
            frame, wrong_row, over = _frame(row, where)
            if frame is None:
                problems.append(f"{where}: {wrong_row}")
            elif (frame.polyp, frame.frame) in rows:
                doubles += 1
            else:
                rows[frame.polyp, frame.frame] = frame
                clipped += over
    problems += [f"{where}: frame_path begins with ${name}, a folder of yours; set data.roots.{name}" for name, where in needed.items()]
    folds = FOLDS if any(row.fold >= 0 for row in rows.values()) else 0
    notes = [f"{doubles} rows name a polyp's frame again: left out"] if doubles else []
    notes += [f"{clipped} boxes over the frame's border (clipped)"] if clipped else []
    return assemble("paper-csv", str(path), RootsStore(roots), rows.values(), problems, notes, folds)


def _frame(row: dict[str, str], where: str) -> tuple[PolypFrame | None, str, bool]:
    """(the frame, what is wrong, whether its box was clipped). frame_id is text: "001" stays "001"."""
    try:
        left, right, top, lower = (float(row[f"bbox_{side}"]) for side in ("xmin", "xmax", "ymin", "ymax"))
        width, height = float(row["width"]), float(row["height"])
        size = mm_of(row["gt"])
        fold = int(row.get("kfold_id") or -1)
    except DataError as error:
        return None, str(error), False
    except ValueError:
        return None, "box, width, height or kfold_id are no numbers; correct them", False
    if wrong := box_problem((left, top, right, lower)):
        return None, wrong, False
    box, over = clip((left, top, right, lower), width, height)
    if box_problem(box):
        return None, "the box lies outside the frame; correct it", False
    if not -1 <= fold < FOLDS:
        return None, f"kfold_id {fold} does not lie in 0..{FOLDS - 1}", False
    polyp = row["unique_id"]
    patient = polyp.rpartition("_")[0] if row["database"] == "REALC" else polyp  # SSS-VVV_n is a lesion of the video SSS-VVV
    mm, censored = size if size else (None, False)
    shape = round(width), round(height)
    return (
        PolypFrame(row["frame_path"], row["frame_id"], polyp, patient or polyp, box, mm, censored, fold=fold, where=where, shape=shape),
        "",
        over,
    )


def _lists(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" and path.is_file() else []
    return [file for file in candidates if set(header(file)) >= COLUMNS]
