"""Miniature imitations of CUB-200-2011, Stanford Cars and FGVC-Aircraft, with the traps of the real ones."""

import struct

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from datamodules.dcal.dataset import load_picture
from datamodules.dcal.layouts import detect, read
from datamodules.dcal.table import Box
from datamodules.errors import DataError
from tests.datamodules.dcal.sets import picture


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text, encoding="utf-8")


# --- CUB -------------------------------------------------------------------------------------------------------------

BIRDS = {n: f"{7 + 3 * (n % 2):03}.{('Auk', 'Bunting')[n % 2]}/{n}.jpg" for n in range(1, 25)}


@pytest.fixture
def cub(tmp_path):
    root = tmp_path / "CUB_200_2011"
    write(root / "images.txt", "".join(f"{n} {file}\n" for n, file in BIRDS.items()))
    write(root / "image_class_labels.txt", "".join(f"{n} {7 + 3 * (n % 2)}\n" for n in BIRDS))
    write(root / "train_test_split.txt", "".join(f"{n} {int(n <= 16)}\n" for n in BIRDS))
    write(root / "classes.txt", "7 007.Auk\n10 010.Bunting\n")
    write(root / "bounding_boxes.txt", "".join(f"{n} 2.0 3.0 10.0 12.0\n" for n in BIRDS))
    for n, file in BIRDS.items():
        write(root / "images" / file, picture(n))
    return root


def counts(table):
    return {split: sum(by_class.values()) for split, by_class in table.counts().items()}


def test_cub_is_read_by_id_with_its_split_and_boxes(cub):
    for path in (cub, cub.parent):
        layout = detect(path)
        table = layout.read()
        assert layout.name == "cub"
        assert table.classes == ["Auk", "Bunting"]
        assert counts(table) == {"train": 14, "val": 2, "test": 8}
        assert not table.problems
        assert table.records[0].box == Box(2, 3, 10, 12)
        assert table.records[0].label == 1


def test_cub_lists_in_another_order_or_with_holes_are_joined_by_id(cub):
    """Odd ids of the split list come last and three ids have no picture at all."""
    before = read(cub).records
    lines = (cub / "train_test_split.txt").read_text().splitlines()
    write(cub / "train_test_split.txt", "\n".join(sorted([*lines, "900 1", "901 1", "902 0"], key=lambda line: int(line.split()[0]) % 2)))
    table = read(cub)
    assert table.records == before
    assert any("3 ids have a split but no picture" in note for note in table.notes)


def test_cub_without_label_list_takes_the_folders_number(cub):
    before = read(cub).records
    (cub / "image_class_labels.txt").unlink()
    (cub / "classes.txt").unlink()
    table = read(cub)
    assert table.records == before
    assert any("no image_class_labels.txt" in note for note in table.notes)


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("images.txt", "25 007.Auk/25.jpg", "images.txt:25: id 25 has no line in train_test_split.txt"),
        ("images.txt", "3 007.Auk/3.jpg", "images.txt:25: id '3' is already in"),
        ("train_test_split.txt", "3 1", "train_test_split.txt:25: id '3' is already in"),
        ("bounding_boxes.txt", "3 1 1 1 1", "bounding_boxes.txt:25: id '3' is already in"),
        ("images.txt", "25", "images.txt:25: id '25' has no value"),
    ],
)
def test_cub_bad_line_is_named_by_file_and_line(cub, file, line, words):
    with (cub / file).open("a") as list_:
        list_.write(line + "\n")
    (problem,) = read(cub).problems
    assert words in problem


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("bounding_boxes.txt", "4 2.0 3.0", "4 2.0 x", "bounding_boxes.txt:4: box '2.0 x 10.0 12.0' is not four numbers"),
        ("bounding_boxes.txt", "4 2.0 3.0 10.0", "4 2.0 3.0 nan", "bounding_boxes.txt:4: box '2.0 3.0 nan 12.0' has no area"),
        ("bounding_boxes.txt", "4 2.0 3.0 10.0", "4 2.0 3.0 0", "has no area"),
        ("image_class_labels.txt", "\n4 7", "\n4 10", "image_class_labels.txt:4: class 10, but the picture lies in '007.Auk'"),
        ("train_test_split.txt", "\n4 1", "\n4 2", "train_test_split.txt:4: split '2'"),
        ("images.txt", "007.Auk/4.jpg", "../4.jpg", "lies outside the data's folder"),
        ("images.txt", "007.Auk/4.jpg", "007.Auk/44.jpg", "images.txt:4: no picture"),
    ],
)
def test_cub_bad_value_is_named_by_file_and_line(cub, file, old, new, words):
    text = (cub / file).read_text()
    assert old in text
    write(cub / file, text.replace(old, new, 1))
    problems = read(cub).problems
    assert any(words in problem for problem in problems), problems


def test_check_names_grey_deep_turned_and_renamed_pictures_and_boxes_by_list_and_line(cub):
    rng = np.random.default_rng(0)
    grey = np.repeat(cv2.resize(rng.integers(0, 256, (4, 4, 1), dtype=np.uint8), (32, 24))[:, :, None], 3, axis=2)
    write(cub / "images" / BIRDS[1], cv2.imencode(".jpg", grey)[1].tobytes())
    write(cub / "images" / BIRDS[2], cv2.imencode(".png", rng.integers(0, 65536, (24, 32, 3), dtype=np.uint16))[1].tobytes())
    jpeg = picture(3)
    exif = b"Exif\0\0" + struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 274, 3, 1, 6) + struct.pack("<I", 0)
    write(cub / "images" / BIRDS[3], jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    text = (cub / "bounding_boxes.txt").read_text()
    write(cub / "bounding_boxes.txt", text.replace("\n4 2.0 3.0 10.0", "\n4 2.0 3.0 99.0"))
    report = detect(cub).check()
    assert not report.problems
    notes = "\n".join(report.notes)
    for words, n in (("grey pictures", 1), ("16 bits", 2), ("by EXIF", 3), ("another kind", 2), ("over the border", 4)):
        (note,) = [note for note in report.notes if words in note]
        assert note.startswith("1 "), notes
        assert f"{BIRDS[n]} ({cub}/images.txt:{n})" in note


# --- Cars ------------------------------------------------------------------------------------------------------------

FIELDS = [(side, object) for side in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class")]
NAMES = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], object)


def annotations(rows, fields):
    return np.array([rows], dtype=[*FIELDS, *((field, object) for field in fields)])


@pytest.fixture
def cars(tmp_path):
    root = tmp_path / "cars"
    files = [f"{n:05}.jpg" for n in range(1, 13)]  # the names repeat between the two folders
    for split, file, seed in (("train", "cars_train_annos.mat", 0), ("test", "cars_test_annos_withlabels.mat", 50)):
        rows = [(3, 4, 12, 23, 1 + n % 2, name) for n, name in enumerate(files)]
        (root / "devkit").mkdir(parents=True, exist_ok=True)
        savemat(root / "devkit" / file, {"annotations": annotations(rows, ["fname"])})
        for n, name in enumerate(files):
            write(root / f"cars_{split}" / name, picture(seed + n))
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": NAMES})
    return root


def test_cars_with_a_devkit(cars):
    layout = detect(cars)
    table = layout.read()
    assert layout.name == "cars"
    assert table.classes == list(NAMES)
    assert counts(table) == {"train": 10, "val": 2, "test": 12}
    assert not table.problems
    assert table.records[0].box == Box(2, 3, 10, 20)  # first and last pixel, from 1
    assert len({record.file for record in table.records}) == 24


def test_cars_missing_picture_is_named_by_file_and_entry(cars):
    (cars / "cars_test/00003.jpg").unlink()
    (problem,) = read(cars).problems
    assert "cars_test_annos_withlabels.mat:3: no picture" in problem


def test_cars_without_test_labels_says_so(cars):
    (cars / "devkit/cars_test_annos_withlabels.mat").rename(cars / "devkit/cars_test_annos.mat")
    table = read(cars)
    assert counts(table)["test"] == 0
    assert any(
        "cars_test_annos_withlabels.mat has no labels" in note or "no cars_test_annos_withlabels.mat" in note for note in table.notes
    )


def test_cars_class_beyond_the_names_is_named(cars):
    rows = [(3, 4, 12, 23, 1 + n % 3, f"{n + 1:05}.jpg") for n in range(12)]
    savemat(cars / "devkit/cars_train_annos.mat", {"annotations": annotations(rows, ["fname"])})
    assert "cars_train_annos.mat:3: class 3 is not one of 1 to 2" in read(cars).problems[0]


def test_cars_in_the_older_form(tmp_path):
    rows = [(1, 1, 8, 8, 1 + n % 2, f"car_ims/{n:06}.jpg", int(n > 7)) for n in range(12)]
    savemat(tmp_path / "cars_annos.mat", {"annotations": annotations(rows, ["relative_im_path", "test"]), "class_names": NAMES})
    for n in range(12):
        write(tmp_path / f"car_ims/{n:06}.jpg", picture(n))
    table = read(tmp_path)
    assert table.layout == "cars"
    assert counts(table) == {"train": 6, "val": 2, "test": 4}
    assert not table.problems


def test_cars_damaged_annotations_are_one_line(cars):
    file = cars / "devkit/cars_train_annos.mat"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cars_train_annos\.mat: not a readable MATLAB file"):
        read(cars)


# --- Aircraft --------------------------------------------------------------------------------------------------------


@pytest.fixture
def aircraft(tmp_path):
    data = tmp_path / "fgvc" / "data"
    rows = [(f"{1000000 + n}", ("Boeing 707-320", "F/A-18")[n % 2]) for n in range(16)]
    for split, part in (("train", rows[:6]), ("val", rows[6:10]), ("trainval", rows[:10]), ("test", rows[10:])):
        write(data / f"images_variant_{split}.txt", "".join(f"{id_} {name}\n" for id_, name in part))
    write(data / "images_box.txt", "".join(f"{id_} 3 4 12 23\n" for id_, _ in rows))
    for n, (id_, _) in enumerate(rows):
        pixels = np.zeros((60, 40, 3), np.uint8)
        pixels[:40] = cv2.imdecode(np.frombuffer(picture(n, 40, 40), np.uint8), cv2.IMREAD_COLOR)
        pixels[40:] = 255  # the banner
        write(data / f"images/{id_}.jpg", cv2.imencode(".png", pixels)[1].tobytes())
    return data


def test_aircraft_variants_keep_their_blanks_and_the_official_validation(aircraft):
    for path in (aircraft, aircraft.parent):
        layout = detect(path)
        table = layout.read()
        assert layout.name == "aircraft"
        assert table.classes == ["Boeing 707-320", "F/A-18"]
        assert counts(table) == {"train": 6, "val": 4, "test": 6}
        assert table.records[0].box == Box(2, 3, 10, 20)


def test_aircraft_banner_is_cut_off_every_picture(aircraft):
    table = read(aircraft)
    for record in table.records:
        assert load_picture(table.store, record, False).shape == (40, 40, 3)
    report = detect(aircraft).check()
    assert any("lowest 20 pixel rows" in note for note in report.notes)
    assert any("shorter side 40 to 40" in note for note in report.notes)


def test_aircraft_picture_that_is_all_banner_is_named(aircraft):
    write(aircraft / "images/1000003.jpg", picture(0, height=20))
    (problem,) = detect(aircraft).check().problems
    assert "1000003.jpg: 20 pixel rows, of which the lowest 20 are a banner" in problem


def test_aircraft_with_trainval_only(aircraft):
    (aircraft / "images_variant_train.txt").unlink()
    assert counts(read(aircraft)) == {"train": 8, "val": 2, "test": 6}


def test_aircraft_id_in_two_splits_is_named(aircraft):
    with (aircraft / "images_variant_test.txt").open("a") as list_:
        list_.write("1000001 F/A-18\n")
    (problem,) = read(aircraft).problems
    assert "images_variant_test.txt:7: id '1000001' is already in" in problem
