"""InsightFace's packs: written in miniature, and damaged on purpose."""

import pickle
import struct

import numpy as np
import pytest

from datamodules.ahan.layouts import read
from datamodules.ahan.record_file import RecordFile
from datamodules.errors import DataError
from tests.datamodules.ahan import sets


def refused(path, words):
    with pytest.raises(DataError, match=words) as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "protocol"), [(bytes, 4), (bytes, 2), (np.array, 4), (np.array, 2)])
def test_a_bin_gives_its_images_and_pairs_in_ten_folds(tmp_path, kind, protocol):
    table = read(sets.bin_pack(tmp_path / "lfw.bin", 20, kind, protocol))
    assert table.layout == "insightface-bin"
    assert [table.store.read(f"{n:06}") for n in range(40)] == sets.encoded(40)
    pairs = table.named_pairs()
    assert pairs.same.tolist() == [True, False] * 10
    assert pairs.fold.tolist() == [fold for fold in range(1, 11) for _ in range(2)]
    again = pickle.loads(pickle.dumps(table.store))
    assert again.read("000003") == table.store.read("000003"), "as a worker gets it"


def test_bytes_of_python_2_are_read(tmp_path):
    image = sets.encoded(1)[0]
    text = b"U" + bytes([len(b"abc")]) + b"abc"  # SHORT_BINSTRING, as Python 2 writes a short str
    long = b"T" + struct.pack("<i", len(image)) + image
    (tmp_path / "old.bin").write_bytes(b"\x80\x02(](" + long + text + b"e](\x88et.")
    table = read(tmp_path / "old.bin")
    assert table.store.read("000000") == image
    assert table.store.read("000001") == b"abc"


class Hostile:
    def __reduce__(self):
        import os

        return os.system, ("touch run",)


def test_a_hostile_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps(([Hostile()], [True])))
    refused(tmp_path / "lfw.bin", "system, which is no data")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (([b"a", b"b"], [True, False]), "2 images for 2 pairs"),
        (([b"a", 3], [True]), "image 1 is of the type int"),
        (([b"a", b"b"], ["yes"]), "neither true nor false"),
        ({"images": []}, "not a pair of lists"),
        (([], []), "0 images"),
    ],
)
def test_another_content_is_refused(tmp_path, content, words):
    (tmp_path / "x.bin").write_bytes(pickle.dumps(content))
    refused(tmp_path / "x.bin", words)


def test_a_bin_cut_short_is_refused(tmp_path):
    file = sets.bin_pack(tmp_path / "lfw.bin")
    file.write_bytes(file.read_bytes()[:500])
    refused(file, "no readable pickle")


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("indexed", [False, True])
def test_records_round_trip_with_and_without_index_whole_and_in_parts(tmp_path, split, indexed):
    root, raw = sets.records(tmp_path, split=split)
    if not indexed:
        (root / "train.idx").unlink()
    table = read(root)
    assert table.layout == "recordio"
    assert len(table.records) == 12
    assert len(table.people) == 4
    assert [table.store.read(f"{key}") for key in range(1, 13)] == raw
    assert [int(record.person) for record in table.records] == [n // 3 for n in range(12)]
    again = pickle.loads(pickle.dumps(table.store))
    assert again.read("2") == raw[1], "as a worker gets it"


def test_labels_are_read_without_the_image(tmp_path):
    root, _ = sets.records(tmp_path, split=True)
    file = RecordFile(root / "train.rec")
    assert [file.labels(key) for key in range(17)] == [file.read(key).labels for key in range(17)]


def test_damaged_records_are_refused_with_their_byte(tmp_path):
    root, _ = sets.records(tmp_path)
    whole = (root / "train.rec").read_bytes()
    at = RecordFile(root / "train.rec").offsets[3]
    (root / "train.rec").write_bytes(whole[:at] + b"\0\0\0\0" + whole[at + 4 :])
    refused(root, f"no record at byte {at}")
    (root / "train.idx").unlink()
    (root / "train.rec").write_bytes(whole[:-9])
    refused(root, "ends at byte")
    (root / "train.rec").write_bytes(b"")
    refused(root, "no record 0")


@pytest.mark.parametrize(
    ("key", "labels", "words"),
    [
        (0, (float("nan"), 17.0), "record 0 has the labels"),
        (0, (float("inf"), 17.0), "record 0 has the labels"),
        (0, (3e37, 17.0), "no record 17 of"),
        (4, (float("nan"),), "record 4 has the label nan"),
        (4, (float("-inf"),), "record 4 has the label -inf"),
    ],
)
def test_labels_that_are_no_numbers_of_images_or_people_are_refused(tmp_path, key, labels, words):
    root, _ = sets.records(tmp_path)
    whole, at = (root / "train.rec").read_bytes(), RecordFile(root / "train.rec").offsets[key]
    start = at + 8 + (24 if key == 0 else 4)  # of record 0 behind the header, else within it
    (root / "train.rec").write_bytes(whole[:start] + struct.pack(f"<{len(labels)}f", *labels) + whole[start + 4 * len(labels) :])
    refused(root, words)


@pytest.mark.parametrize(("text", "words"), [("0\t0\n1\tx\n", r"train\.idx:2"), ("0\t0\n", "no record 1 of 12"), ("0\t4\n", "at byte 4")])
def test_a_wrong_index_is_refused(tmp_path, text, words):
    root, _ = sets.records(tmp_path)
    (root / "train.idx").write_text(text)
    refused(root, words)
