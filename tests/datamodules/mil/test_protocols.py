"""Who trains, validates and tests under each protocol: no patient on two sides, every bag tested once, classes spread."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datamodules.errors import DataError
from datamodules.mil import camelyon
from datamodules.mil.datamodule import NpzBags
from datamodules.mil.feature_bags import FeatureBags
from datamodules.mil.folds import grouped_folds, official, split
from tests.datamodules.mil.feature_sets import labelled, slides, table, write
from tests.datamodules.mil.test_bags import npz


def quiet(data: Any) -> Any:
    data.said = []
    data.say = data.said.append
    data.setup()
    return data


def of_patients(folder: Path, **options: Any) -> FeatureBags:
    return quiet(FeatureBags(str(folder), scale="none", **options))


# --- clean -----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_patient_is_in_two_parts_whatever_the_set(data: st.DataObject) -> None:
    patients = data.draw(st.integers(6, 30))
    groups = data.draw(st.lists(st.integers(0, patients - 1), min_size=40, max_size=80))
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(groups), max_size=len(groups)))
    assume(len(set(groups)) >= 5)
    k = data.draw(st.integers(3, 4))  # of two folds, one could be a single patient
    names = [f"p{group}" for group in groups]
    tested = []
    for fold in range(k):
        parts = split(labels, names, "clean", fold, k, seed=3)
        sides = [{names[i] for i in part} for part in parts]
        assert sum(map(len, sides)) == len(set.union(*sides))
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
        tested += parts.test.tolist()
    assert sorted(tested) == list(range(len(groups)))


@pytest.mark.parametrize("k", [3, 5, 10])
def test_without_groups_every_class_is_spread_within_one_bag(k: int) -> None:
    labels = [0] * 41 + [1] * 23 + [2] * 11
    fold = grouped_folds(labels, [str(i) for i in range(75)], k, seed=k)
    for label in range(3):
        counts = np.bincount(fold[np.array(labels) == label], minlength=k)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("repeat", [0, 1])
def test_cross_validation_reaches_every_slide_once_a_repeat(tmp_path: Path, repeat: int) -> None:
    folder = labelled(tmp_path / "set", 24, patients=12)
    count = of_patients(folder).outer_folds
    assert count == 5
    tested: list[int] = []
    for fold in range(count):
        data = of_patients(folder, fold=fold, repeat=repeat)
        assert not set(data.patients_in("test")) & set(data.patients_in("train", "val"))
        assert not set(data.patients_in("val")) & set(data.patients_in("train"))
        tested += data.parts.test.tolist()
    assert sorted(tested) == list(range(24))


def test_cross_validation_of_a_file_reaches_every_bag_once_a_repeat(tmp_path: Path) -> None:
    path = str(npz(tmp_path / "a.npz"))
    whole = quiet(NpzBags(path))
    assert (whole.outer_folds, whole.outer_repeats) == (10, 2)
    for options in ({}, {"folds": 4}, {"folds": 4, "fold_seed": 7}):
        for repeat in range(2):
            tested = [quiet(NpzBags(path, fold=fold, repeat=repeat, **options)).parts.test for fold in range(options.get("folds", 10))]
            assert sorted(np.concatenate(tested).tolist()) == list(range(40))


def test_another_repeat_and_another_seed_of_folds_draw_anew_and_the_seed_of_training_does_not(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", 24, patients=12)
    first = of_patients(folder).parts.test.tolist()
    assert of_patients(folder, seed=5).parts.test.tolist() == first
    assert of_patients(folder, repeat=1).parts.test.tolist() != first
    assert of_patients(folder, fold_seed=1).parts.test.tolist() != first
    assert of_patients(folder, repeat=1).parts.test.tolist() != of_patients(folder, fold_seed=1).parts.test.tolist()


def test_the_tables_folds_are_taken_unless_others_are_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(12))
    table(folder / "labels.csv", [(name, i % 2, 1 + i // 4) for i, name in enumerate(slides(12))], "slide_id,label,fold")
    data = of_patients(folder, fold=1)
    assert data.parts.test.tolist() == [4, 5, 6, 7]
    assert (data.outer_folds, data.outer_repeats) == (3, 1)
    assert of_patients(folder, folds=4).outer_folds == 4
    for options, words in (
        ({"repeat": 1}, "repeat is from 0 to 0"),
        ({"fold": 3}, "fold is from 0 to 2"),
        ({"fold_seed": 1}, "give folds"),
    ):
        with pytest.raises(DataError, match=words):
            of_patients(folder, **options)


def test_folds_that_part_a_patient_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(12))
    table(folder / "labels.csv", [(n, i % 2, i % 3, f"p{i // 2}") for i, n in enumerate(slides(12))], "slide_id,label,fold,patient")
    with pytest.raises(DataError, match="patients are tested and trained on in this fold, such as p0"):
        of_patients(folder)


# --- official --------------------------------------------------------------------------------------------------------


def own(folder: Path, parts: str, patients: int = 24) -> Path:
    """A set whose table has a split: a letter a slide."""
    names = slides(len(parts))
    write(folder, names)
    word = {"r": "train", "v": "valid", "t": "Test", "-": ""}
    rows = [(name, i % 2, word[part], f"p{i % patients}") for i, (name, part) in enumerate(zip(names, parts, strict=True))]
    table(folder / "labels.csv", rows, "slide_id,label,split,patient_id")
    return folder


def test_officially_the_sets_own_split_is_taken_and_blank_slides_take_no_part(tmp_path: Path) -> None:
    data = of_patients(own(tmp_path / "set", "rrrrvvtttt--"), protocol="official")
    assert [part.tolist() for part in data.parts] == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]]
    assert (data.outer_folds, data.outer_repeats) == (1, 1)


def test_without_an_official_validation_part_a_tenth_of_the_training_patients_validates(tmp_path: Path) -> None:
    data = of_patients(own(tmp_path / "set", "r" * 40 + "tttt", patients=44), protocol="official")
    assert data.parts.test.tolist() == [40, 41, 42, 43]
    assert len(data.parts.val) == 4
    assert Counter(data.known["label"][data.parts.val].tolist()) == {0: 2, 1: 2}
    assert of_patients(tmp_path / "set", protocol="official", seed=3).parts.val.tolist() == data.parts.val.tolist()
    assert of_patients(tmp_path / "set", protocol="official", fold_seed=3).parts.val.tolist() != data.parts.val.tolist()


def test_by_default_the_protocol_is_clean_and_a_split_that_is_not_used_is_said(tmp_path: Path) -> None:
    data = of_patients(own(tmp_path / "set", "rrrrrrrrtttt"))
    assert data.describe()["protocol"] == "clean"
    assert "its own split is not used; protocol=official takes it" in "\n".join(data.said)


def test_an_official_split_that_parts_a_patient_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="patients are tested and trained on in the set's own split, such as p0"):
        of_patients(own(tmp_path / "set", "rrrrrrrrtttt", patients=8), protocol="official")


def test_clams_splits_are_read_fold_by_fold(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", 12)
    (tmp_path / "splits").mkdir()
    for k in range(2):
        names = slides(12)[6 * k :] + slides(12)[: 6 * k]
        columns = [names[:6], names[6:8], [*names[8:11], "gone"]]
        rows = [(i, *(column[i] if i < len(column) else "" for column in columns)) for i in range(6)]
        table(tmp_path / "splits" / f"splits_{k}.csv", rows, ",train,val,test")
    table(tmp_path / "splits" / "splits_0_bool.csv", [("slide_00", True, False, False)], ",train,val,test")
    data = of_patients(folder, protocol="official", splits=str(tmp_path / "splits"), fold=1)
    assert [part.tolist() for part in data.parts] == [[6, 7, 8, 9, 10, 11], [0, 1], [2, 3, 4]]
    assert data.outer_folds == 2
    assert "1 of 12 slides of the split have no features or no label: gone" in "\n".join(data.said)
    one = of_patients(folder, protocol="official", splits=str(tmp_path / "splits" / "splits_0.csv"))
    assert (one.parts.train.tolist(), one.outer_folds) == ([0, 1, 2, 3, 4, 5], 1)
    for options, words in (
        ({"protocol": "official", "fold": 2}, "fold is from 0 to 1"),
        ({"protocol": "clean"}, "no split for protocol=clean, which makes its own; set protocol=official"),
    ):
        with pytest.raises(DataError, match=words):
            of_patients(folder, splits=str(tmp_path / "splits"), **options)
    (tmp_path / "splits" / "splits_1.csv").unlink()
    table(tmp_path / "splits" / "splits_2.csv", [(0, "slide_00", "", "slide_00")], ",train,val,test")
    with pytest.raises(DataError, match="without a gap"):
        of_patients(folder, protocol="official", splits=str(tmp_path / "splits"))
    with pytest.raises(DataError, match=r"splits_2\.csv:2: slide_00 is in train and in test"):
        of_patients(folder, protocol="official", splits=str(tmp_path / "splits" / "splits_2.csv"))


def camelyon16(folder: Path) -> Path:
    names = [
        f"{kind}_{i:03d}" for kind, ids in (("normal", [1, 2, 3, 86]), ("tumor", [1, 2, 3, 111]), ("test", [1, 2, 49, 114])) for i in ids
    ]
    write(folder, names)
    table(folder / "reference.csv", [("test_001.tif", "Tumor", "Macro"), ("test_002.tif", "Normal", "None")], "image,type,size")
    with (folder / "reference.csv").open("a") as file:
        file.write("test_049.tif,Normal,None\ntest_114.tif,Normal,None\n")
    return folder


def test_camelyon16_is_read_with_its_names_its_reference_and_its_known_mistakes(tmp_path: Path) -> None:
    data = of_patients(camelyon16(tmp_path / "set"), protocol="official")
    assert data.classes == ["normal", "tumor"]
    names = [data.source.name(i) for i in data.parts.test]
    assert names == ["test_001", "test_002", "test_114"]
    assert data.known["label"][data.parts.test].tolist() == [1, 0, 0]
    everyone = {data.source.name(i) for part in data.parts for i in part}
    assert not everyone & {"test_049", "normal_086"}
    assert "test_049 is a copy" in "\n".join(data.said)
    parity = of_patients(tmp_path / "set", protocol="parity", folds=3)
    assert "test_114" not in {parity.source.name(i) for part in parity.parts for i in part}
    assert not camelyon.is_camelyon16(["normal_001", "case 7"])


# --- parity, and what cannot be --------------------------------------------------------------------------------------


def test_under_parity_validation_is_the_tested_fold_and_that_is_said(tmp_path: Path) -> None:
    data = of_patients(labelled(tmp_path / "set"), protocol="parity")
    assert np.array_equal(data.parts.val, data.parts.test)
    assert "every figure is optimistic" in "\n".join(data.said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "official"}, "has no split of its own; protocol=clean"),
        ({"protocol": "official", "folds": 3}, "folds and repeat are of clean and parity"),
        ({"fold": 5}, "fold is from 0 to 4"),
        ({"fold": -1}, "fold is from 0 to 4"),
        ({"folds": 99}, "99 folds of 24 patients"),
        ({"repeat": -1}, "0 or more"),
        ({"instance_dropout": 1.0}, "share in"),
    ],
)
def test_a_split_that_cannot_be_is_one_line(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        of_patients(labelled(tmp_path / "set"), **options)
    assert "\n" not in str(caught.value)


def test_a_class_without_training_bags_is_refused_and_one_that_is_not_tested_is_said(tmp_path: Path) -> None:
    folder = own(tmp_path / "set", "rrrrrrtttt")
    rows = [(name, int(i > 5), "test" if i > 5 else "train") for i, name in enumerate(slides(10))]
    table(folder / "labels.csv", rows, "slide_id,label,split")
    with pytest.raises(DataError, match="no bag for training of class 1"):
        of_patients(folder, protocol="official")
    rows = [(name, int(i % 2 and i < 6), "test" if i > 5 else "train") for i, name in enumerate(slides(10))]
    table(folder / "labels.csv", rows, "slide_id,label,split")
    assert "no test bag of class 1" in "\n".join(of_patients(folder, protocol="official").said)


def test_an_official_split_needs_both_sides() -> None:
    with pytest.raises(DataError, match="2 bags for training and 0 for testing"):
        official([0, 1], ["a", "b"], ["train", "train"])


def test_one_patient_cannot_both_train_and_validate() -> None:
    with pytest.raises(DataError, match="one patient, p0, is left"):
        split([0, 1] * 10 + [0], ["p0"] * 20 + ["p1"], "clean", 1, 2, 0)
