"""`discern ahan align`: a row a photograph, crops only when asked for, and mistakes in one line."""

import csv
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.ahan.synth import Knobs, twin_faces

EASY = Knobs(pose=0, light=0, expression=0, session=0, jitter=0, blur=0, noise=0, occlude=0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = np.full((300, 300, 3), 128, np.uint8)
    photo[60:220, 70:230] = twin_faces(1, 2, 160, 0, EASY).images[0]
    cv2.imwrite(str(folder / "face.png"), photo[:, :, ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


def test_every_photograph_has_a_row_and_only_faces_are_written(here, photos: Path) -> None:
    said = here("ahan", "align", "photos", "--out", "faces", "--size", 64)
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert {Path(row["image"]).name: row["failure"] for row in rows} == {"face.png": None, "torn.jpg": "unreadable", "wall.png": "no_face"}
    assert said.returncode == 1
    assert "2 of 3 photographs" in said.stderr
    (written,) = Path("faces").iterdir()
    assert str(written) == rows[0]["aligned"]
    assert cv2.imread(str(written)).shape == (64, 64, 3)
    assert {(row["schema"], row["aligner"], row["pose"]) for row in rows} == {("discern-ahan-align-1", "arcface-112", "unknown")}


def test_nothing_is_written_unless_it_is_asked_for(here, photos: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    assert here("ahan", "align", photos / "face.png").returncode == 0
    assert set(tmp_path.rglob("*")) == before


def test_rows_as_csv_have_the_same_cells(here, photos: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(here("ahan", "align", "photos", "--format", "csv").stdout)))
    assert [row["reason"] for row in rows] == ["", "unreadable", "no_face"]
    assert rows[0]["box"].count(";") == 3


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (("photos", "--detector", "harr"), "did you mean 'haar'"),
        (("photos", "--detector", "photos/torn.jpg"), "is not trusted"),
        (("photos", "--limit", "blured=3"), "did you mean 'blurred'"),
        (("photos", "--limit", "blurred=nan"), "a number from 0 up"),
        (("photos", "--out", "photos/face.png"), "is a file"),
        (("empty",), "no picture to align"),
    ],
)
def test_mistakes_are_one_line(here, photos: Path, tmp_path: Path, words: tuple, needle: str) -> None:
    (tmp_path / "empty").mkdir()
    said = here("ahan", "align", *words)
    assert said.returncode == 2
    assert needle in said.stderr.splitlines()[-1]
