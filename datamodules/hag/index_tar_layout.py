"""A table of frames with masks (index.csv: set,id,group,fold,...,mask_fraction,area_tercile,box) beside one tar of images/ and masks/."""

from pathlib import Path

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.hag.table import PolypFrame, PolypTable, assemble, box_problem
from datamodules.store import TarStore

__all__ = ["is_index_tar", "read_index_tar"]

INDEX = "index.csv"
COLUMNS = {"set", "id", "group", "fold", "mask_fraction", "xmin", "ymin", "xmax", "ymax"}
SEQUENCES = ("cvc_clinicdb",)  # sets whose groups are sequences of one polyp; of others, they are near-copies


def is_index_tar(path: Path) -> bool:
    return path.is_dir() and (path / INDEX).is_file() and set(header(path / INDEX)) >= COLUMNS


def read_index_tar(path: Path) -> PolypTable:
    index = path / INDEX
    tars = sorted(path.glob("*.tar"))
    if len(tars) != 1:
        raise DataError(f"{path}: {len(tars)} tars beside {INDEX}; one with images/ and masks/ is needed")
    store = TarStore(tars[0])
    members = sorted(store.tar.members)
    images = {Path(name).stem: name for name in members if name.startswith("images/")}
    masks = {Path(name).stem: name for name in members if name.startswith("masks/")}
    found, problems, _ = csv_rows(index)
    rows: list[PolypFrame] = []
    for line, row in found:
        where = f"{index}:{line}"
        try:
            box = tuple(float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax"))
            fold, area = int(row["fold"]), float(row["mask_fraction"])
        except ValueError:
            problems.append(f"{where}: fold, mask_fraction or box are no numbers; correct them")
            continue
        if wrong := box_problem(box) or ("" if 0 <= area <= 1 else f"mask_fraction {area:g} does not lie in 0..1"):
            problems.append(f"{where}: {wrong}")
            continue
        sequence = f"sequence-{int(row['group']):02}" if row["set"] in SEQUENCES and row["group"].isdigit() else ""
        name = sequence or row["id"]
        group = "" if sequence else f"group-{row['group']}"
        image, mask = images.get(row["id"], f"images/{row['id']}.jpg"), masks.get(row["id"], "")
        left, top, right, lower = box
        rows.append(
            PolypFrame(
                image,
                row["id"],
                name,
                name,
                (left, top, right, lower),
                area=area,
                mask=mask,
                centre=row["set"],
                fold=fold,
                group=group,
                where=where,
            )
        )
    folds = len({row.fold for row in rows})
    return assemble("index-tar", str(path), store, rows, problems, folds=folds)
