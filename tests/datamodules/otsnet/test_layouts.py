import hashlib
from typing import get_args

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.otsnet import layouts
from datamodules.otsnet.dataset import load_word
from datamodules.otsnet.layouts import detect, read
from datamodules.otsnet.table import split_of
from tests.datamodules.otsnet import sets
from tests.datamodules.otsnet.sets import EVERY, LABELS, PICTURES, picture, put


def contents(table):
    """{(hash of the picture's bytes, label)}"""
    return {(hashlib.sha256(table.store.read(record.file)).hexdigest(), record.label) for record in table.records}


FIVE = {(hashlib.sha256(data).hexdigest(), label) for data, label in zip(PICTURES, LABELS, strict=True)}


@pytest.mark.parametrize("name", EVERY)
def test_the_same_five_words_are_read_alike_from_every_layout(name, tmp_path):
    EVERY[name](tmp_path / "set")
    path = tmp_path / "set/words.tar" if name == "tar" else tmp_path / "set"
    layout = detect(path)
    table = layout.read()
    expected = {"zip": "tsv", "tar": "tsv", "mmocr-0": "mmocr", "mmocr-1": "mmocr"}.get(name, name)
    assert layout.name == table.layout == expected
    assert contents(table) == FIVE
    assert table.problems == []
    assert {record.split for record in table.records} <= {"train", "val", "test"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("header", [False, True])
def test_a_tsv_may_have_a_header_a_mark_and_either_line_end(header, bom, end, tmp_path):
    sets.tsv(tmp_path, header, end, bom)
    assert contents(read(tmp_path)) == contents(read(tmp_path / "labels.tsv")) == FIVE


def test_every_layout_that_is_named_is_known():
    assert set(get_args(layouts.Named)) == {"auto", *(kind.name for kind in layouts.KNOWN)}


def test_iiit5k_as_distributed_has_splits_and_letters(tmp_path):
    sets.iiit5k(tmp_path)
    table = detect(tmp_path).as_it_is()
    assert [(record.file, record.label, record.split) for record in table.records] == [
        ("train/1_1.png", "247", "train"),
        ("train/1_2.png", "SAYOH", "train"),
        ("test/2_1.png", "247", "test"),
    ]
    assert table.records[0].boxes == ((0, 0, 20, 24), (20, 0, 40, 24), (40, 0, 60, 24))


def test_svt_as_distributed_is_cut_out_of_photographs_and_clipped(tmp_path):
    sets.svt(tmp_path)
    table = detect(tmp_path).as_it_is()
    assert [(record.label, record.split) for record in table.records] == [
        ("LIVING", "train"),
        ("EDGE & CO", "train"),
        ("LIVING", "test"),
        ("EDGE & CO", "test"),
    ]
    living, edge = (load_word(table.store, record) for record in table.records[:2])
    assert living.shape == (20, 40, 3)
    assert (living == (255, 0, 0)).all()
    assert edge.shape == (10, 20, 3)  # five pixels to the right and two below lie outside


def test_a_list_that_defines_entities_is_refused(tmp_path):
    sets.svt(tmp_path, doctype='<!DOCTYPE t [<!ENTITY a "aaaa">]>')
    with pytest.raises(DataError, match="a document type or an entity"):
        read(tmp_path)


def test_icdar_quadrilaterals_are_made_straight(tmp_path):
    sets.icdar_detection(tmp_path)
    table = detect(tmp_path).as_it_is()
    assert [record.label for record in table.records] == ["Stop, now!", "turned"]
    assert {record.split for record in table.records} == {"train"}
    assert any("1 places marked ###" in note for note in table.notes)
    upright, turned = (load_word(table.store, record) for record in table.records)
    assert upright.shape == (20, 40, 3)
    assert turned.shape == (40, 20, 3)  # its text begins at the upper right corner and runs down
    assert (np.abs(turned[2:-2, 2:-2].astype(int) - (255, 0, 0)) < 40).mean() > 0.95


def test_mjsynth_labels_are_in_the_names(tmp_path):
    sets.mjsynth(tmp_path)
    assert [(record.label, record.split) for record in detect(tmp_path).as_it_is().records] == [("Lube", "train"), ("oak", "test")]


def test_synthtext_words_are_cut_at_blanks_and_line_ends_with_their_letters(tmp_path):
    sets.synthtext(tmp_path)
    table = detect(tmp_path).as_it_is()
    assert [record.label for record in table.records] == ["ab", "cd", "ef"]
    np.testing.assert_allclose(table.records[0].boxes, [(0, 0, 20, 20), (20, 0, 40, 20)], atol=1e-3)
    assert load_word(table.store, table.records[0]).shape == (20, 40, 3)


def test_a_tree_calls_sets_by_their_places_and_finds_splits_above_them(tmp_path):
    sets.lmdb(tmp_path / "train/real")
    sets.lmdb(tmp_path / "test/IIIT5k")
    sets.lmdb(tmp_path / "OST/weak")
    sets.tsv(tmp_path / "val/mine")
    table = detect(tmp_path).read()
    assert table.layout == "tree"
    assert table.sets() == {"train": {"real": 5}, "val": {"mine": 5}, "test": {"IIIT5k": 5, "OST/weak": 5}}
    assert contents(table) == FIVE


def test_archives_beside_a_tsv_give_their_splits(tmp_path):
    sets.zipped(tmp_path / "mini")
    for suffix in ("tsv", "zip"):
        (tmp_path / f"mini/test.{suffix}").write_bytes((tmp_path / f"mini/train.{suffix}").read_bytes())
    assert detect(tmp_path / "mini").read().sets()["test"] == {"mini": 5}
    assert detect(tmp_path / "mini/test.zip").read().sets() == {"train": {}, "val": {}, "test": {"mini": 5}}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("ch4_training_word_images_gt", "train"),
        ("Challenge2_Test_Task3_GT", "test"),
        ("rec_gt_val", "val"),
        ("iiit5k_train", "train"),
        ("constraint", ""),
        ("latest", ""),
    ],
)
def test_splits_are_whole_words_of_names(name, split):
    assert split_of(name) == split


def many(root, count=300):
    put(root / "a.png", PICTURES[0])
    rows = []
    for number in range(count):
        put(root / f"{number}.png", PICTURES[number % 5])
        rows.append(f"{number}.png\t{'Word' if number % 2 else 'word'} {number // 3}")
    put(root / "labels.tsv", "\n".join(rows))


def test_validation_words_never_train_whatever_their_case(tmp_path):
    many(tmp_path / "train")
    table = read(tmp_path / "train")
    words = {split: {record.label.casefold() for record in table.records if record.split == split} for split in ("train", "val", "test")}
    assert not words["train"] & words["val"]
    assert 3 <= len(words["val"]) <= 20
    assert not words["test"]  # a set that says it is for training is not tested on
    assert "validation" in table.notes[0]


def test_where_nothing_is_said_a_fifth_of_the_words_is_tested_on(tmp_path):
    many(tmp_path / "mine")
    table = read(tmp_path / "mine")
    words = {split: {record.label.casefold() for record in table.records if record.split == split} for split in ("train", "val", "test")}
    assert not words["train"] & words["test"]
    assert not words["val"] & words["test"]
    assert 10 <= len(words["test"]) <= 32


def test_more_words_move_none_between_splits(tmp_path):
    many(tmp_path / "few/train", 150)
    many(tmp_path / "many/train", 300)
    few, more = ({r.label: r.split for r in read(tmp_path / name / "train").records} for name in ("few", "many"))
    assert all(more[label] == split for label, split in few.items())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("gone.png\tx", "no picture"),
        ("../x.png\tx", "outside"),
        ("/etc/passwd\tx", "outside"),
        ("word_1.png\tx", "already in"),
        ("word_1.png", "1 cells for 2 columns"),
        ("word_1.png\ta\tb", "3 cells for 2 columns"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_and_left_out(row, words, tmp_path):
    sets.tsv(tmp_path)
    list_ = tmp_path / "labels.tsv"
    list_.write_text(list_.read_text() + row + "\n")
    table = read(tmp_path)
    assert contents(table) == FIVE
    (problem,) = table.problems
    assert problem.startswith(f"{list_}:6: ")
    assert words in problem


def test_quotes_in_icdar_lists_may_be_escaped_or_not(tmp_path):
    files = sets.pictures(tmp_path)
    put(tmp_path / "gt.txt", f'{files[0]}, "a ""b"" c"\n{files[1]},"x\\\\y"\n{files[2]}, "a, "b", c"\n{files[3]} no comma\n')
    table = read(tmp_path)
    assert [record.label for record in table.records] == ['a ""b"" c', "x\\y", 'a, "b", c']
    assert "gt.txt:4: not of the form" in table.problems[0]


def test_truth_of_a_test_set_beside_the_folder_of_its_pictures(tmp_path):
    files = sets.pictures(tmp_path / "ch4_test_word_images_gt")
    put(tmp_path / "Challenge4_Test_Task3_GT.txt", "".join(f'{file}, "w"\n' for file in files))
    table = read(tmp_path)
    assert table.sets()["test"] == {"ch4_test_word_images_gt": 5}


def test_databases_that_lack_something_say_what(tmp_path):
    sets.lmdb(tmp_path / "a", labels=["x", None, "y", None, None])
    table = read(tmp_path / "a")
    assert len(table.records) == 2
    assert "3 of 5 words have no label: label-000000002, label-000000004, label-000000005" in table.problems[0]
    unlabelled = read(tmp_path / "a", labels=False)
    assert len(unlabelled.records) == 5
    assert unlabelled.problems == []
    assert {record.split for record in unlabelled.records} == {"test"}
    sets.lmdb(tmp_path / "b", extra=[(b"num-samples", b"many")])
    with pytest.raises(DataError, match="num-samples is b'many'"):
        read(tmp_path / "b")
    sets.write_lmdb(tmp_path / "c", [(b"image-000000001", b"x")])
    with pytest.raises(DataError, match="no key num-samples"):
        read(tmp_path / "c")
    sets.lmdb(tmp_path / "d", extra=[(b"num-samples", b"3")])
    assert len(read(tmp_path / "d").records) == 3
    assert "2 labels are not of words 1 to 3" in read(tmp_path / "d").notes[0]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("labels.tsv", b"a.png\t\xff\xfe\n", "labels.tsv:1: not UTF-8"),
        ("labels.tsv", "file\tsize\na.png\t3\n", "no column called label"),
        ("metadata.jsonl", "{not json}\n", "metadata.jsonl:1: not JSON"),
        ("metadata.jsonl", "[1]\n", "not an object"),
        ("Label.txt", 'a.png\t[{"transcription": "x", "points": []}]\n', "a list for detection"),
        ("gt.mat", b"MATLAB 5.0 MAT-file" + bytes(200), "not a readable MATLAB file|no imnames"),
        ("traindata.mat", b"x" * 300, "not a readable MATLAB file"),
        ("data.mdb", b"", "empty file"),
        ("words.json", '{"metainfo": {}, "task": "textrecog"}', "no data_list"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(file, text, words, tmp_path):
    put(tmp_path / file, text)
    put(tmp_path / "a.png", PICTURES[0])
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_what_is_not_recognised_lists_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"looked for LMDB .*; or SVT .*; or a TSV"):
        detect(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        detect(tmp_path / "gone")
    with pytest.raises(DataError, match="layout 'svt' needs SVT"):
        read(tmp_path, "svt")
    with pytest.raises(DataError, match="'mnist' is not known"):
        read(tmp_path, "mnist")


def test_archives_with_paths_outside_are_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "words.zip", "w") as packed:
        packed.writestr("../evil.png", PICTURES[0])
        packed.writestr("labels.tsv", "../evil.png\tx\n")
    with pytest.raises(DataError, match="points out of"):
        read(tmp_path / "words.zip")


def test_a_corner_without_area_is_named(tmp_path):
    sets.icdar_detection(tmp_path)
    list_ = next(tmp_path.glob("*/gt_img_1.txt"))
    list_.write_text(list_.read_text() + "\r\n1,1,1,1,1,1,1,1,dot\r\n1,2,nan,4,5,6,7,8,nan\r\na,b\r\n")
    problems = read(tmp_path).problems
    assert [words in problem for words, problem in zip(("enclose 0 x 0", "no numbers", "not eight numbers"), problems, strict=True)] == [
        True
    ] * 3


def test_check_tells_counts_labels_and_copies(tmp_path):
    sets.zipped(tmp_path)
    put(tmp_path / "test.tsv", "a.png\tHello\nb.png\tStraße\nc.png\t" + "x" * 26 + "\nd.png\t…\n")
    import zipfile

    with zipfile.ZipFile(tmp_path / "test.zip", "w") as packed:
        for name, data in (("a", PICTURES[0]), ("b", picture(77)[:-20]), ("c", picture(78)), ("d", picture(79))):
            packed.writestr(f"{name}.png", data)
    report = detect(tmp_path).check(near=True)
    assert report.counts["test"] == 4
    assert report.unit == "different words"
    assert any("PNG cut short" in problem for problem in report.problems)
    assert any("same picture in" in problem for problem in report.problems)
    assert any("1 labels of more than 25" in note for note in report.notes)
    assert any("characters beyond ASCII" in note and "'é' 1" in note and "ß" not in note for note in report.notes)
    assert any("outside the 94, dropped from labels" in note and note.endswith(": 'ß' 1") for note in report.notes)
    assert any("of the test words are among the training words" in note for note in report.notes)
