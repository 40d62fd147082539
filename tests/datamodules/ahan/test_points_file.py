"""Landmarks of 5, 68 and 468 points come from files beside the images, align them, and place their regions."""

import numpy as np
import pytest

from datamodules.ahan.csv_layout import read_faces_csv
from datamodules.ahan.dataset import OnDisk
from datamodules.ahan.landmarks import five_of
from datamodules.ahan.points_file import parse_points
from datamodules.ahan.template import template
from datamodules.errors import DataError
from tests.datamodules.ahan import sets

FIVE = template(112) * 0.8 + 10
IBUG = np.tile([60.0, 90.0], (68, 1))
IBUG[36:42], IBUG[42:48], IBUG[30], IBUG[48], IBUG[54] = FIVE


def pts(points: np.ndarray) -> str:
    return f"version: 1\nn_points:  {len(points)}\n{{\n" + "".join(f"{x} {y}\n" for x, y in points + 1) + "}\n"


def listed(root, *files: str):
    rows = "".join(f"a{n}.png,p{n},f{n},{file}\n" for n, file in enumerate(files))
    sets.put(root, *(f"a{n}.png" for n in range(len(files))))
    (root / "faces.csv").write_text(f"image,person,family,landmarks\n{rows}")
    return read_faces_csv(root)


def test_files_of_68_points_align_an_image_and_images_without_one_stay_whole(tmp_path) -> None:
    tmp_path.joinpath("a.pts").write_text(pts(IBUG))
    table = listed(tmp_path, "a.pts", "")
    assert not table.problems
    faces = OnDisk(table.store, table.records, 64)
    assert faces.landmarks
    aligned = faces.points(0)
    assert aligned is not None
    assert np.allclose(five_of(aligned), template(64), atol=1e-3)
    assert faces[0].shape == (64, 64, 3)
    assert faces.points(1) is None


def test_a_pts_file_counts_pixels_from_one_and_plain_lines_from_zero() -> None:
    plain = "\n".join(f"{x} {y}" for x, y in IBUG).encode()
    assert np.allclose(parse_points(plain, "a.txt"), IBUG.ravel())
    assert np.allclose(parse_points(pts(IBUG).encode(), "a.pts"), IBUG.ravel())
    assert np.isnan(parse_points(plain.replace(b"60.0 90.0", b"nan nan", 1), "a.txt")[:2]).all()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"1 2\n3 4\n", b"x y\n" * 5, b"1 2 3\n" * 5, b"1 2\n" * 4 + b"1 inf\n", b"1 2\n1\n"])
def test_a_file_of_something_else_is_one_line(data: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.txt: ") as refused:
        parse_points(data, "a.txt")
    assert "\n" not in str(refused.value)


def test_missing_files_and_files_outside_are_problems_of_their_line(tmp_path) -> None:
    table = listed(tmp_path, "gone.pts", "../a.pts")
    assert len(table.problems) == 2
    assert all("faces.csv:" in problem and "no landmarks" in problem for problem in table.problems)


def test_columns_and_files_together_are_refused(tmp_path) -> None:
    sets.csv_set(tmp_path)
    text = (tmp_path / "faces.csv").read_text().splitlines()
    if "eye_left_x" not in text[0]:
        names = ",".join(f"{name}_{axis}" for name in ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right") for axis in "xy")
        text = [text[0] + "," + names, *(line + "," * 10 for line in text[1:])]
    (tmp_path / "faces.csv").write_text("\n".join([text[0] + ",landmarks", *(line + "," for line in text[1:])]) + "\n")
    with pytest.raises(DataError, match="leave one of them out"):
        read_faces_csv(tmp_path)
