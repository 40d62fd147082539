"""What a finished model is tried on is never what it was trained on unless that is asked for, and is told as it is."""

import pytest

from datamodules.ahan.datamodule import Faces
from datamodules.ahan.layouts import read
from datamodules.ahan.trials import open_trials
from datamodules.errors import DataError
from tests.datamodules.ahan import sets


def files_in_pairs(trials):
    return set(trials.files)


def test_pairs_of_a_list_with_folds_are_those_of_the_split_as_a_test_takes_them(tmp_path):
    sets.lfw(tmp_path, folds=4)
    parts = {split: open_trials(str(tmp_path), 32, split) for split in ("train", "val", "test")}
    assert [len(part.pairs.first) for part in parts.values()] == [8, 4, 4]
    assert [part.split for part in parts.values()] == ["train", "val", "test"]
    assert not files_in_pairs(parts["val"]) & files_in_pairs(parts["test"])
    data = Faces(str(tmp_path), twin_ratio=0.0)
    assert set(parts["val"].pairs.fold) == set(data.pairs("val").fold) == {2}
    assert set(parts["test"].pairs.fold) == set(data.pairs("test").fold) == {1}
    assert parts["test"].notes[-1] == "4 of the 16 pairs that its list names: the split test"


def test_folds_of_a_list_are_taken_in_place_of_a_split_and_no_other_part_is_spoken_of(tmp_path):
    sets.lfw(tmp_path, folds=4)
    some = open_trials(str(tmp_path), 32, "test", folds=[3, 4])
    assert (set(some.pairs.fold), some.split) == ({3, 4}, "folds 3, 4")
    whole = open_trials(str(tmp_path), 32, "test", split="all")
    assert (len(whole.pairs.first), whole.split) == (16, "all")
    for trials in (some, whole):
        assert not any("is the test" in note for note in trials.notes)
    with pytest.raises(DataError, match="give one of the two"):
        open_trials(str(tmp_path), 32, "test", split="test", folds=[3])
    with pytest.raises(DataError, match="no fold 9"):
        open_trials(str(tmp_path), 32, "test", folds=[9])


def test_pairs_for_choosing_a_model_are_kept_from_those_that_test_it(tmp_path):
    sets.lfw(tmp_path, folds=2, each=4)
    lines = (tmp_path / "pairs.txt").read_text().splitlines()
    (tmp_path / "pairs.txt").unlink()
    for name, part in (("pairsDevTrain.txt", lines[1:9]), ("pairsDevTest.txt", lines[9:])):
        (tmp_path / name).write_text("\n".join(["4", *part]) + "\n")
    assert len(read(tmp_path).pairs) == 16
    tested = open_trials(str(tmp_path), 32, "test")
    assert {name.split("/")[-2][-2] for name in tested.files} == {"2"}
    assert len(tested.pairs.first) == 8


def test_a_list_whose_images_are_all_of_one_split_is_taken_whole_unless_another_is_named(tmp_path):
    sets.bin_pack(tmp_path / "x.bin", 20)
    for usual in ("val", "test"):
        trials = open_trials(str(tmp_path / "x.bin"), 32, usual)
        assert (len(trials.pairs.first), trials.split) == (20, "all")
        assert trials.notes[-1] == "all 20 pairs that its list names"
    with pytest.raises(DataError, match="no pair of its list lies in the split val; its images are of test"):
        open_trials(str(tmp_path / "x.bin"), 32, "test", split="val")
