"""InsightFace's packs for training: train.rec and train.idx. Record 0 says where images end and people begin."""

import math
from pathlib import Path

from datamodules.ahan.record_file import RecordFile
from datamodules.ahan.table import Face, FaceTable, assemble_faces
from datamodules.errors import DataError

__all__ = ["RecordStore", "is_records", "read_records"]


class RecordStore:
    """Images by key: 1, 2, ..."""

    def __init__(self, file: RecordFile):
        self.file = file
        self.time = file.path.stat().st_mtime_ns

    def __contains__(self, name: str) -> bool:
        return name.isdigit() and int(name) in self.file.offsets

    def where(self, name: str) -> str:
        return f"{self.file.path}:{name}"

    def read(self, name: str) -> bytes:
        return self.file.read(int(name)).image

    def mark(self, name: str) -> str:
        return f"{self.file.offsets[int(name)]} {self.time}"


def is_records(path: Path) -> bool:
    return _file(path) is not None


def read_records(path: Path) -> FaceTable:
    file = _file(path)
    assert file is not None
    records = RecordFile(file)
    if 0 not in records.offsets:
        raise DataError(f"{file}: no record 0, which says how many images there are; fetch it again")
    head = records.labels(0)
    if len(head) < 2 or not math.isfinite(head[0]) or head[0] < 1:
        raise DataError(f"{file}: record 0 has the labels {list(head)}, not the ends of images and people; fetch it again")
    end = int(head[0])
    lacking = next((key for key in range(1, end) if key not in records.offsets), None)  # found soon, however many the head claims
    if lacking is not None:
        raise DataError(f"{file}: no record {lacking} of {end - 1} images; fetch it again, and its index")
    faces = []
    for key in range(1, end):
        labels = records.labels(key)
        if not math.isfinite(labels[0]):
            raise DataError(f"{file}: record {key} has the label {labels[0]}, which is nobody's number; fetch it again")
        person = f"{int(labels[0]):07}"
        faces.append(Face(f"{key}", person, person))
    notes = [] if records.indexed else [f"no {file.stem}.idx: the records were counted"]
    return assemble_faces("recordio", str(path), RecordStore(records), faces, notes=notes)


def _file(path: Path) -> Path | None:
    files = sorted(path.glob("*.rec")) if path.is_dir() else [path] if path.suffix == ".rec" and path.is_file() else []
    return next((file for file in files if file.stem == "train"), files[0] if len(files) == 1 else None)
