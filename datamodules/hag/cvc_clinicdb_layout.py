"""CVC-ClinicDB: Original/N.tif (or PNG/Original/N.png) and Ground Truth/N.tif, N = 1..612, 384 x 288, of 29 sequences."""

from bisect import bisect_left
from pathlib import Path

from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore

__all__ = ["LAST_FRAMES", "is_cvc_clinicdb", "read_cvc_clinicdb", "sequence_of"]

# The last frame of each of the 29 sequences, as the set's own table has them.
LAST_FRAMES = (
    *(25, 50, 67, 78, 103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317),
    *(342, 363, 383, 408, 428, 447, 466, 478, 503, 528, 546, 571, 591, 612),
)
KINDS = (".tif", ".tiff", ".png")


def sequence_of(number: int) -> int:
    """1..29, of a frame 1..612."""
    return bisect_left(LAST_FRAMES, number) + 1


def is_cvc_clinicdb(path: Path) -> bool:
    return _root(path) is not None


def read_cvc_clinicdb(path: Path) -> PolypTable:
    """A sequence is one polyp. Boxes and areas are those of the masks."""
    root = _root(path) or path
    store = FolderStore(root)
    rows, problems = [], []
    files = [file for file in (root / "Original").iterdir() if file.suffix.lower() in KINDS]
    for file in sorted(files, key=lambda file: (len(file.stem), file.stem)):
        if not file.stem.isdigit() or not 1 <= int(file.stem) <= LAST_FRAMES[-1]:
            problems.append(f"{file}: no frame number from 1 to {LAST_FRAMES[-1]}; remove the file")
            continue
        polyp = f"sequence-{sequence_of(int(file.stem)):02}"
        rows.append(PolypFrame(f"Original/{file.name}", file.stem, polyp, polyp, mask=f"Ground Truth/{file.name}"))
    notes = ["for research and education only, commercial use forbidden by its owners: keep it out of what is shipped"]
    if len(rows) < LAST_FRAMES[-1]:
        notes.append(f"{len(rows)} of {LAST_FRAMES[-1]} frames are here")
    return assemble("cvc-clinicdb", str(path), store, rows, problems, notes)


def _root(path: Path) -> Path | None:
    places = (path, *(path / name for name in ("CVC-ClinicDB", "TIF", "PNG", "CVC-ClinicDB/TIF", "CVC-ClinicDB/PNG")))
    return next((place for place in places if (place / "Original").is_dir() and (place / "Ground Truth").is_dir()), None)
