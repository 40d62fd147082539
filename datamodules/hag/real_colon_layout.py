"""REAL-Colon: SSS-VVV_frames/, SSS-VVV_annotations/ with a VOC XML for every frame, lesion_info.csv with the sizes, video_info.csv."""

from pathlib import Path

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.hag.boxes.voc import parse_voc
from datamodules.hag.sizes import Size, mm_of
from datamodules.hag.table import PolypFrame, PolypTable, assemble, clip
from datamodules.store import FolderStore

__all__ = ["is_real_colon", "read_real_colon"]

LESIONS, VIDEOS = "lesion_info.csv", "video_info.csv"
LESION, SIZE = "unique_object_id", "size [mm]"
ENDS = ("_annotations", "_annotation")  # the documentation writes both


def is_real_colon(path: Path) -> bool:
    return path.is_dir() and LESION in header(path / LESIONS) if (path / LESIONS).is_file() else False


def read_real_colon(path: Path) -> PolypTable:
    sizes, known, problems = _lesions(path / LESIONS)
    rows: list[PolypFrame] = []
    clipped: list[str] = []
    without = 0
    videos = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and folder.name.endswith(ENDS)]
    for folder in videos:
        video = folder.name[: -len(next(end for end in ENDS if folder.name.endswith(end)))]
        for file in sorted(folder.glob("*.xml"), key=_number):
            where = str(file)
            data = file.read_bytes()
            if b"<object" not in data:  # most frames: not worth a parser
                without += 1
                continue
            try:
                marks, wrong = parse_voc(data, where)
            except DataError as error:
                problems.append(str(error))
                continue
            problems += wrong
            without += not marks and not wrong
            for mark in marks:
                if not mark.polyp:
                    problems.append(f"{where}: an object without unique_id; which lesion it is cannot be known")
                    continue
                box = mark.box
                if mark.size is not None:
                    box, over = clip(box, *mark.size)
                    if box[0] >= box[2] or box[1] >= box[3]:
                        problems.append(f"{where}: the box of {mark.polyp} lies outside the frame; correct or remove it")
                        continue
                    clipped += [f"{where} ({mark.polyp})"] * over
                size = sizes.get(mark.polyp)
                mm, censored = size if size else (None, False)
                frame = file.stem.removeprefix(f"{video}_")
                rows.append(
                    PolypFrame(f"{video}_frames/{file.stem}.jpg", frame, mark.polyp, video, box, mm, censored, where=where, shape=mark.size)
                )
    notes = [f"{without} frames without a lesion are not used"]
    if clipped:
        notes.append(f"{len(clipped)} boxes over the frame's border (clipped), the first: {clipped[0]}")
    if unknown := sorted({row.polyp for row in rows} - known):
        notes.append(f"{len(unknown)} lesions are not in {LESIONS}: kept, without a size; the first: {unknown[0]}")
    if unsized := sorted(name for name in known if sizes.get(name) is None):
        notes.append(f"{len(unsized)} lesions have no size in {LESIONS}; the first: {unsized[0]}")
    if unseen := sorted(known - {row.polyp for row in rows}):
        notes.append(f"{len(unseen)} lesions of {LESIONS} are on no frame here; the first: {unseen[0]}")
    notes += _videos(path, {row.patient for row in rows})
    return assemble("real-colon", str(path), FolderStore(path), rows, problems, notes)


def _lesions(file: Path) -> tuple[dict[str, Size | None], set[str], list[str]]:
    """(size by lesion, all lesions, what is wrong)."""
    rows, problems, columns = csv_rows(file)
    if SIZE not in columns:
        raise DataError(f"{file}:1: no column {SIZE!r}; fetch the table again")
    sizes: dict[str, Size | None] = {}
    for line, row in rows:
        if row[LESION] in sizes:
            problems.append(f"{file}:{line}: {row[LESION]!r} is there twice; keep one line")
            continue
        try:
            sizes[row[LESION]] = mm_of(row[SIZE])
        except DataError as error:
            problems.append(f"{file}:{line}: {error}")
    return sizes, {row[LESION] for _, row in rows}, problems


def _videos(path: Path, seen: set[str]) -> list[str]:
    """What the table of videos says more; nothing where it lacks."""
    if not (path / VIDEOS).is_file():
        return [f"no {VIDEOS}: whether videos lack cannot be told"]
    rows, _, columns = csv_rows(path / VIDEOS)
    if not {"unique_video_name", "num_lesions"} <= set(columns):
        return []
    lacking = [row["unique_video_name"] for _, row in rows if row["num_lesions"] not in ("", "0") and row["unique_video_name"] not in seen]
    return [f"{len(lacking)} videos with lesions are not here; the first: {lacking[0]}"] if lacking else []


def _number(file: Path) -> tuple[int, str]:
    """Frames are numbered without padding."""
    tail = file.stem.rpartition("_")[2]
    return (int(tail), "") if tail.isdigit() else (-1, file.stem)
