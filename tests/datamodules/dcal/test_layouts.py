from collections import Counter
from typing import get_args

import numpy as np
import pytest

from datamodules.dcal import layouts, reid_layouts
from datamodules.dcal.layouts import detect, read
from datamodules.dcal.table import Box, cut
from datamodules.errors import DataError
from tests.datamodules.dcal.sets import folder, index, plain_rows


def splits(table):
    return {split: sum(counts.values()) for split, counts in table.counts().items()}


def test_folders_of_splits_are_read_as_they_are(tmp_path):
    root = folder(tmp_path, {"train/ant": 3, "train/bee": 3, "valid/ant": 1, "test/bee": 2})
    layout = detect(root)
    table = layout.read()
    assert layout.name == "splits"
    assert table.classes == ["ant", "bee"]
    assert splits(table) == {"train": 6, "val": 1, "test": 2}
    assert not table.problems


def test_validation_is_taken_from_train_by_class_and_said(tmp_path):
    table = read(folder(tmp_path, {"train/ant": 20, "train/bee": 5, "train/cow": 1, "test/bee": 2}))
    assert table.counts()["val"] == Counter(ant=2, bee=1)
    assert "no validation split" in table.notes[0]
    assert read(tmp_path).records == table.records


def test_plain_classes_are_split_by_name_and_said(tmp_path):
    table = read(folder(tmp_path, {"ant": 20, "bee": 10}))
    assert table.layout == "classes"
    assert table.counts()["test"] == Counter(ant=4, bee=2)
    assert table.counts()["val"] == Counter(ant=2, bee=1)
    assert "no splits given" in table.notes[0]


def test_class_without_training_pictures_and_empty_folders_are_named(tmp_path):
    root = folder(tmp_path, {"train/ant": 3, "train/bee": 3, "test/cow": 1, "train/dodo": 0})
    problems = read(root).problems
    assert any("test/cow" in problem and "none in train" in problem for problem in problems)
    assert any("train/dodo: empty folder" in problem for problem in problems)


@pytest.mark.parametrize("archive", [None, "images.zip", "birds.zip"])
def test_csv_finds_its_pictures_beside_it_or_in_a_zip(archive, tmp_path):
    table = read(index(tmp_path, plain_rows(), archive=archive))
    assert table.classes == ["ant", "bee"]
    assert splits(table) == {"train": 6, "val": 2, "test": 4}
    assert table.store.read("ant/train0.jpg")[:2] == b"\xff\xd8"
    assert detect(tmp_path / "index.csv").read().records == table.records


def test_csv_with_numbers_names_and_boxes(tmp_path):
    rows = [
        ("a.jpg", 7, "train", "swan", 1, 2, 3.5, 4),
        ("b.jpg", 7, "train", "swan", "", "", "", ""),
        ("c.jpg", 10, "train", "tern", 0, 0, 9, 9),
    ]
    table = read(index(tmp_path, rows, "file,label,split,class_name,bbox_x,bbox_y,bbox_w,bbox_h"))
    assert table.classes == ["swan", "tern"]
    by_file = {record.file: record for record in table.records}
    assert by_file["a.jpg"].box == Box(1, 2, 3.5, 4)
    assert by_file["b.jpg"].box is None
    assert by_file["c.jpg"].label == 1
    assert any("holes" in note for note in table.notes)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("gone.jpg", "ant", "train"), "no picture"),
        (("ant/train0.jpg", "ant", "train"), "already in line 2"),
        (("x.jpg", "", "train"), "no label"),
        (("", "ant", "train"), "no file name"),
        (("x.jpg", "ant", "rehearsal"), "split 'rehearsal'"),
        (("x.jpg", "ant"), "2 cells under 3 columns"),
        (("../x.jpg", "ant", "train"), "outside"),
        (("/etc/passwd", "ant", "train"), "outside"),
        (("x.jpg", "yak", "test"), "no training picture"),
    ],
)
def test_bad_row_is_named_by_file_and_line_and_left_out(row, words, tmp_path):
    rows = [*plain_rows(), row]
    table = read(index(tmp_path, rows, pictures={"gone.jpg": None}))
    assert len(table.records) == len(rows) - 1
    (problem,) = table.problems
    assert problem.startswith(f"{tmp_path}/index.csv:{len(rows) + 1}: ")
    assert words in problem


@pytest.mark.parametrize(("box", "words"), [((1, 2, "x", 4), "not four numbers"), ((1, 2, 0, 4), "no area"), ((1, 2, 3, ""), "needs all")])
def test_bad_box_is_named(box, words, tmp_path):
    rows = [("a.jpg", "ant", *box), ("b.jpg", "bee", 1, 1, 2, 2)]
    (problem,) = read(index(tmp_path, rows, "file,label,bbox_x,bbox_y,bbox_w,bbox_h")).problems
    assert "index.csv:2" in problem
    assert words in problem


def test_labels_and_names_that_disagree_are_named(tmp_path):
    rows = [("a.jpg", 0, "ant"), ("b.jpg", 1, "bee"), ("c.jpg", 0, "bee"), ("d.jpg", 2, "bee")]
    problems = read(index(tmp_path, rows, "file,label,class_name")).problems
    assert "index.csv:4: label 0 is 'bee' here and 'ant' before" in problems[0]
    assert "index.csv:5: class 'bee' has label 2 here and 1 before" in problems[1]


def test_blanks_in_names_and_a_byte_order_mark_are_fine(tmp_path):
    rows = [(f"my birds/{n}.jpg", f"Boeing 707-{n % 2}", "train") for n in range(6)]
    index(tmp_path, rows)
    file = tmp_path / "index.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    table = read(tmp_path)
    assert table.classes == ["Boeing 707-0", "Boeing 707-1"]
    assert not table.problems


def test_what_is_not_recognised_lists_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"looked for CUB-200-2011 .*; or a CSV .*; or train/<class>/.*; or <class>/"):
        detect(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        detect(tmp_path / "gone")
    with pytest.raises(DataError, match="layout 'splits' needs train/"):
        read(folder(tmp_path, {"ant": 1, "bee": 1}), "splits")
    with pytest.raises(DataError, match="'birds' is not known"):
        read(tmp_path, "birds")


def test_two_indices_or_two_zips_ask_which(tmp_path):
    index(tmp_path, plain_rows(), archive="one.zip")
    (tmp_path / "two.zip").write_bytes((tmp_path / "one.zip").read_bytes())
    with pytest.raises(DataError, match=r"images\.zip"):
        read(tmp_path)
    (tmp_path / "more.csv").write_text("file,label\na,b\n")
    with pytest.raises(DataError, match="several indices"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0, 0, 10, 20), (20, 10)),
        ((-5, -5, 10, 10), (5, 5)),
        ((25, 15, 100, 100), (5, 5)),
        ((40, 40, 3, 3), (1, 1)),
        ((3.4, 0, 0.2, 1), (1, 1)),
    ],
)
def test_box_is_clamped_to_the_picture(box, size):
    assert cut(np.zeros((20, 30, 3), np.uint8), Box(*box)).shape[:2] == size


@pytest.mark.parametrize("kind", [layouts, reid_layouts])
def test_every_layout_can_be_named_in_a_recipe(kind):
    assert get_args(kind.Named) == ("auto", *(known.name for known in kind.KNOWN))
