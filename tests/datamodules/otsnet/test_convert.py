import hashlib

import pytest

from datamodules.errors import DataError
from datamodules.otsnet.convert import convert
from datamodules.otsnet.layouts import detect
from tests.datamodules.otsnet import sets
from tests.datamodules.otsnet.sets import LABELS, PICTURES, put


def contents(path, ordered=True):
    table = detect(path).as_it_is()
    rows = [(hashlib.sha256(table.store.read(record.file)).hexdigest(), record.label, record.split) for record in table.records]
    return rows if ordered else sorted(rows)


@pytest.mark.parametrize("first", ["lmdb", "folder", "zip"])
@pytest.mark.parametrize("second", ["lmdb", "folder", "zip"])
def test_there_and_back_keeps_bytes_labels_and_order(first, second, tmp_path):
    sets.icdar_words(tmp_path / "source")
    assert sum(convert(tmp_path / "source", tmp_path / "one", first).values()) == 5
    convert(tmp_path / "one", tmp_path / "two", second)
    assert contents(tmp_path / "two") == contents(tmp_path / "one") == contents(tmp_path / "source")
    assert [label for _, label, _ in contents(tmp_path / "two")] == LABELS


@pytest.mark.parametrize("format", ["lmdb", "folder", "zip"])
def test_splits_and_sets_come_to_places_of_their_own(format, tmp_path):
    for place in ("train/a", "train/b", "test/a"):
        sets.tsv(tmp_path / "source" / place)
    counts = convert(tmp_path / "source", tmp_path / "target", format)
    assert counts == {"a/train": 5, "b/train": 5, "a/test": 5}
    assert contents(tmp_path / "target", False) == contents(tmp_path / "source", False)
    before, after = (detect(tmp_path / name).as_it_is() for name in ("source", "target"))
    assert sorted((r.set, r.split) for r in before.records) == sorted((r.set, r.split) for r in after.records)


def test_words_of_photographs_are_cut_out(tmp_path):
    sets.svt(tmp_path / "source")
    assert convert(tmp_path / "source", tmp_path / "target", "lmdb") == {"train": 2, "test": 2}
    table = detect(tmp_path / "target").as_it_is()
    assert sorted(record.label for record in table.records) == ["EDGE & CO", "EDGE & CO", "LIVING", "LIVING"]
    assert all(table.store.read(record.file).startswith(b"\x89PNG") for record in table.records)


def test_equal_words_make_equal_files(tmp_path):
    sets.tsv(tmp_path / "source")
    for format in ("lmdb", "zip"):
        files = []
        for place in (f"{format}1", f"{format}2"):
            convert(tmp_path / "source", tmp_path / place, format)
            files.append({file.name: file.read_bytes() for file in (tmp_path / place).rglob("*") if file.is_file()})
        assert files[0] == files[1]


def test_what_a_tsv_cannot_hold_is_named(tmp_path):
    put(tmp_path / "source/metadata.jsonl", '{"file_name": "a.png", "text": "a\\tb"}')
    put(tmp_path / "source/a.png", PICTURES[0])
    with pytest.raises(DataError, match=r"metadata\.jsonl:1: the label 'a\\tb' holds a tab"):
        convert(tmp_path / "source", tmp_path / "target", "folder")
    convert(tmp_path / "source", tmp_path / "target", "lmdb")
    assert contents(tmp_path / "target") == contents(tmp_path / "source")


def test_a_full_place_an_unknown_format_and_a_set_with_problems_are_refused(tmp_path):
    sets.tsv(tmp_path / "source")
    with pytest.raises(DataError, match="new or empty folder"):
        convert(tmp_path / "source", tmp_path / "source", "lmdb")
    with pytest.raises(DataError, match="'tar' is not known; there are lmdb, folder, zip"):
        convert(tmp_path / "source", tmp_path / "target", "tar")
    (tmp_path / "source/word_3.png").unlink()
    with pytest.raises(DataError, match=r"no picture .*word_3\.png.*1 in all"):
        convert(tmp_path / "source", tmp_path / "target", "lmdb")
    assert not (tmp_path / "target").exists()
