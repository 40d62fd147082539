import json
import shutil
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.ahan.csv_layout import yaw_range
from datamodules.ahan.datamodule import Faces
from datamodules.ahan.dataset import OnDisk
from datamodules.ahan.layouts import detect, read
from datamodules.ahan.table import Face
from datamodules.ahan.template import AlignmentError
from datamodules.errors import DataError
from tests.datamodules.ahan import sets


def refused(path, words):
    with pytest.raises(DataError, match=words) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_folders_with_twins_json_know_families_and_visits(tmp_path):
    table = read(sets.twins(tmp_path))
    assert table.layout == "twins"
    assert not table.problems
    assert table.records[0] == Face("a0/2009/0.jpg", "a0", "a0+b0", table.records[0].split, "2009", "MZ")
    assert {record.family for record in table.records if record.person == "c1"} == {"c1"}


@pytest.mark.parametrize("make", [sets.twins, lambda root: sets.twins(root, 40, 20)])
def test_a_family_never_leaves_its_split(tmp_path, make):
    table = read(make(tmp_path))
    splits = {}
    for record in table.records:
        assert splits.setdefault(record.family, record.split) == record.split
    assert set(splits.values()) == {"train", "val", "test"}
    assert any("by family" in note for note in table.notes)


def test_split_folders_are_taken_as_they_are(tmp_path):
    for split, first in (("train", 0), ("test", 6)):
        sets.put(tmp_path, *(f"{split}/p{n}/{k}.jpg" for n in range(first, first + 6) for k in range(2)))
    (tmp_path / "twins.json").write_text('[["p0", "p1"], ["p6", "p7"]]')
    table = read(tmp_path)
    assert {record.person for record in table.of("test")} == {f"p{n}" for n in range(6, 12)}
    assert table.of("val")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["a0", "b0"], ["b0", "a1"]], "'b0' is in two pairs"),
        ([["a0", "a0"]], "same person"),
        ([["a0"]], "two names"),
        ([["a0", 3]], "two names"),
    ],
)
def test_wrong_twins_are_problems(tmp_path, rows, words):
    sets.twins(tmp_path)
    (tmp_path / "twins.json").write_text(json.dumps(rows))
    assert any(words in problem for problem in detect(tmp_path).check().problems)


def test_twins_without_images_are_told_and_triplets_are_a_group(tmp_path):
    sets.twins(tmp_path)
    (tmp_path / "twins.json").write_text('[["a0", "b0", "a1"], ["b1", "nobody"]]')
    table = read(tmp_path)
    assert any("1 entries of twins.json name people without an image" in note for note in table.notes)
    assert {record.kind for record in table.records if record.person == "a1"} == {"group"}


@pytest.mark.parametrize("make", [sets.twins, sets.manifests])
def test_names_are_told_by_the_check_alone_and_not_by_what_a_run_keeps(tmp_path, make):
    make(tmp_path)
    lists = [tmp_path / "twins.json", *tmp_path.glob("*_twin_pairs.json")]
    for file in (file for file in lists if file.exists()):
        file.write_text(json.dumps([*json.loads(file.read_text()), ["Ann_Secret", "Bea_Secret"]]))
    for file in tmp_path.glob("*_dataset_infor.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"Cat_Secret": []}))
    (tmp_path / "Cat_Secret").mkdir()
    kept = json.dumps([read(tmp_path).notes, Faces(str(tmp_path), size=32).describe()])
    assert "Secret" not in kept
    assert "without an image" in kept
    told = " ".join(detect(tmp_path).check().notes)
    assert all(name in told for name in ("Ann_Secret", "Bea_Secret", "Cat_Secret"))


@pytest.mark.parametrize("text", ["{}", "[[", '"x"', b"\xff\xfe\x00"])
def test_a_list_of_twins_that_is_none_is_refused(tmp_path, text):
    sets.twins(tmp_path)
    (tmp_path / "twins.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(tmp_path, "twins.json")


def test_manifests_for_training_and_test_are_read_together(tmp_path):
    table = read(sets.manifests(tmp_path))
    assert table.layout == "images-json"
    assert not table.problems
    assert {record.person for record in table.of("test")} == {"p5", "p6", "p7", "p8"}
    assert table.of("test")[0].family == "p5+p6"
    assert any("no visits" in note for note in table.notes)


def test_a_twin_in_another_split_is_a_problem_by_name(tmp_path):
    sets.manifests(tmp_path)
    people = json.loads((tmp_path / "test_dataset_infor.json").read_text())
    people["p0"] = ["train/p0_9.jpg"]
    sets.put(tmp_path, "train/p0_9.jpg")
    (tmp_path / "test_dataset_infor.json").write_text(json.dumps(people))
    (tmp_path / "test_twin_pairs.json").write_text('[["p0", "p1"], ["p5", "p6"]]')
    assert any("1 families in more than one" in problem for problem in detect(tmp_path).check().problems)


def test_a_csv_gives_points_sessions_and_splits_and_keeps_what_it_does_not_know(tmp_path):
    table = read(sets.csv_set(tmp_path))
    assert table.layout == "faces-csv"
    assert not table.problems
    first, second = table.records[:2]
    assert (first.visit, first.kind, first.points) == ("day0", "MZ", None)
    assert second.points is not None
    assert second.points[:2] == (38.3, 51.7)
    assert Counter(record.split for record in table.records) == {"train": 16, "val": 4, "test": 4}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.jpg,,f,MZ,1,train", "no person"),
        ("a.jpg,a,f,clone,1,train", "clone"),
        ("a.jpg,b,f,DZ,1,train", "of the kinds 'MZ' and 'DZ'"),
        ("a.jpg,a,f,MZ,1,exam", "exam"),
        ("b.jpg,b,g,MZ,1,train", "families 'f' and 'g'"),
        ("b.jpg,b,f,MZ,1,train", "there already"),
        ("../x.jpg,x,f,MZ,1,train", "outside"),
        ("a.jpg,a,f,MZ,1,", "no split"),
        ("a.jpg,a", "2 cells"),
    ],
)
def test_wrong_rows_are_problems_by_line(tmp_path, row, words):
    sets.csv_set(tmp_path, ["b.jpg,b,f,MZ,1,train"], "image,person,family,kind,session,split")
    with (tmp_path / "faces.csv").open("a") as file:
        file.write(row + "\n")
    sets.put(tmp_path, "a.jpg")
    problems = read(tmp_path).problems
    assert any("faces.csv:3" in problem and words in problem for problem in problems), problems


def test_zygosity_says_who_are_twins_and_who_are_other_kin(tmp_path):
    rows = ["a.jpg,a,f,mz", "b.jpg,b,f,MZ", "c.jpg,c,f,sibling", "d.jpg,d,g,", "e.jpg,e,g,", "x.jpg,x,h,DZ", "y.jpg,y,h,DZ"]
    table = read(sets.csv_set(tmp_path, rows, "image,person,family,zygosity"))
    assert not table.problems
    a, b, c, d, e, x, y = table.twins.tolist()
    assert (a == b, d == e) == (True, True)
    assert len({a, c, d, x, y}) == 5
    assert len(set(table.numbers[:, 1])) == 3  # splits and intervals are by family, whoever is kin to whom
    assert any("2 families have kin who are no identical twins" in note for note in detect(tmp_path).check().notes)


def test_kind_and_zygosity_must_agree_and_yaw_is_an_angle(tmp_path):
    rows = ["a.jpg,a,f,MZ,DZ,0", "b.jpg,b,f,MZ,MZ,left", "c.jpg,c,g,,,-200", "d.jpg,d,g,,DZ,50"]
    sets.csv_set(tmp_path, rows, "image,person,family,kind,zygosity,yaw")
    table = read(tmp_path)
    assert [part in problem for part, problem in zip(("two things", "'left'", "'-200'"), table.problems, strict=True)] == [True] * 3
    assert [(record.kind, record.yaw) for record in table.records] == [("DZ", 50.0)]
    assert any("1 of 1 images with a yaw are turned by more than 45 degrees" in note for note in detect(tmp_path).check().notes)
    assert [yaw_range(cell) for cell in ("", "0", "-15", "44.9", "-90")] == [
        "", "00 to 15 degrees", "15 to 30 degrees", "30 to 45 degrees", "45 degrees or more",
    ]  # fmt: skip


def test_a_relation_of_a_list_that_is_not_known_is_told(tmp_path):
    sets.put(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (tmp_path / "pairs.csv").write_text("image1,image2,same,relation\na.jpg,b.jpg,0,cousin\nb.jpg,c.jpg,0,sibling\nc.jpg,d.jpg,0,MZ\n")
    table = read(tmp_path)
    assert table.named_pairs().kind.tolist() == ["general", "kin", "twin"]
    assert any("not known (cousin)" in note for note in table.notes)


def test_half_of_the_points_or_no_numbers_are_refused(tmp_path):
    sets.csv_set(tmp_path, ["b.jpg,b,f,1"], "image,person,family,eye_left_x")
    refused(tmp_path, "eye_left_y")
    columns = sets.CSV.replace(",camera", "")
    sets.csv_set(tmp_path, ["b.jpg,b,f,MZ,1,train," + ",".join(["nan"] * 10)], columns)
    assert "lie nowhere" in read(tmp_path).problems[0]


def test_points_bring_a_photograph_into_the_frame(tmp_path):
    table = read(sets.csv_set(tmp_path))
    whole, aligned = (OnDisk(table.store, table.records[:2], 112)[row] for row in (0, 1))
    assert whole.shape == aligned.shape == (112, 112, 3)
    raw = OnDisk(table.store, [table.records[1]._replace(points=None)], 112)[0]
    assert np.abs(raw.astype(int) - aligned)[4:-4, 4:-4].mean() < 3, "these points are the template itself"


SWAPPED = "41.5,92.4,70.7,92.2,56.0,71.7,38.3,51.7,73.5,51.5"  # eyes and mouth


def test_points_that_are_no_faces_are_named_and_counted(tmp_path):
    sets.csv_set(tmp_path)
    text = (tmp_path / "faces.csv").read_text().splitlines()
    at = next(number for number, line in enumerate(text) if line.startswith("a01"))
    text[at] = ",".join([*text[at].split(",")[:6], SWAPPED, "left"])
    (tmp_path / "faces.csv").write_text("\n".join(text) + "\n")
    table = read(tmp_path)
    record = next(record for record in table.records if record.file == "a01.jpg")
    with pytest.raises(AlignmentError, match=rf"faces\.csv:{at + 1}: bad_landmarks: points \d+\.\d pixels off"):
        OnDisk(table.store, [record], 112)[0]
    assert any("1 images with bad_landmarks" in problem and "faces.csv" in problem for problem in detect(tmp_path).check().problems)


@pytest.mark.parametrize("leaks", [False, True])
def test_a_background_that_tells_who_it_is_is_told(tmp_path, leaks):
    sets.twins(tmp_path, families=8, alone=0)
    for file in tmp_path.glob("*/*/*.jpg"):
        own = file.parts[-3] if leaks else str(file.relative_to(tmp_path))
        image = np.random.default_rng(zlib.crc32(own.encode())).integers(0, 256, (8, 8, 3), np.uint8)
        cv2.imwrite(str(file), cv2.resize(image, (112, 112)))
    assert any("from the background alone genuine pairs and strangers" in note for note in detect(tmp_path).check().notes) == leaks


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_lfw_gives_its_folds_and_pairs(tmp_path, ends):
    table = read(sets.lfw(tmp_path, ends=ends))
    assert table.layout == "lfw"
    assert not table.problems
    pairs = table.named_pairs()
    assert pairs.same.tolist() == [True, True, False, False] * 3
    assert pairs.fold.tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert {record.fold for record in table.of("test")} == {1}
    assert {record.fold for record in read(tmp_path, fold=3).of("val")} == {1}
    assert OnDisk(table.store, table.records, 112)[0].shape == (112, 112, 3)


def test_lfw_in_a_tar_is_read_as_it_is(tmp_path):
    sets.lfw(tmp_path / "set")
    with tarfile.open(tmp_path / "lfw.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    shutil.rmtree(tmp_path / "set")
    table = read(tmp_path / "lfw.tar")
    assert len(table.pairs) == 12
    assert len(table.records) == 24
    assert OnDisk(table.store, table.records, 64)[3].shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("Ann_10\t1\t2", "Ann_10\t1"), r"pairs\.txt:2: 2 fields"),
        (lambda text: text.replace("Ann_10\t1\t2", "Ann_10 1 2"), r"pairs\.txt:2: 1 fields"),
        (lambda text: text.replace("Ann_10\t1\t2", "Ann_10\t1\tx"), r"pairs\.txt:2: .*no image numbers"),
        (lambda text: text.replace("Ann_10\t1\t2\n", ""), r"pairs\.txt:3: .*out of its place"),
        (lambda text: text.rstrip("\n").rpartition("\n")[0], "11 pairs, but its first line says 12"),
    ],
)
def test_a_damaged_list_of_pairs_is_refused_by_line(tmp_path, change, words):
    sets.lfw(tmp_path)
    (tmp_path / "pairs.txt").write_text(change((tmp_path / "pairs.txt").read_text()))
    refused(tmp_path, words)


def test_a_missing_image_and_a_fold_that_is_not_there_are_named(tmp_path):
    sets.lfw(tmp_path)
    (tmp_path / "lfw/Ann_10/Ann_10_0002.jpg").unlink()
    assert "no image 2 of 'Ann_10'" in read(tmp_path).problems[0]
    with pytest.raises(DataError, match="fold 7 is not there; there are 1 to 3"):
        read(tmp_path, fold=7)


def test_view_1_of_lfw_is_train_and_test(tmp_path):
    sets.lfw(tmp_path, folds=2)
    lines = (tmp_path / "pairs.txt").read_text().splitlines()
    (tmp_path / "pairs.txt").unlink()
    (tmp_path / "people.txt").unlink()
    (tmp_path / "pairsDevTrain.txt").write_text("\n".join(["2", *lines[1:5]]))
    (tmp_path / "pairsDevTest.txt").write_text("\n".join(["2", *lines[5:]]))
    table = read(tmp_path)
    assert {record.person[-2] for record in table.of("train", "val")} == {"1"}
    assert {record.person[-2] for record in table.of("test")} == {"2"}


@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_a_list_of_pairs_is_for_testing(tmp_path, kind):
    sets.put(tmp_path, *["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    if kind == "csv":
        (tmp_path / "pairs.csv").write_text("image1,image2,same,fold,relation\na.jpg,b.jpg,1,1,genuine\nc.jpg,d.jpg,0,2,twin\n")
    else:
        (tmp_path / "list.txt").write_text("a.jpg b.jpg 1\nc.jpg d.jpg 0\n")
    table = read(tmp_path)
    assert table.layout == "pair-list"
    assert not table.problems
    assert {record.split for record in table.records} == {"test"}
    assert len(table.people) == 3
    assert table.named_pairs().kind.tolist() == (["genuine", "twin"] if kind == "csv" else ["genuine", "general"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.jpg,b.jpg,perhaps,1", "perhaps"),
        ("a.jpg,a.jpg,1,1", "itself"),
        ("a.jpg,x.jpg,1,1", "no image 'x.jpg'"),
        ("a.jpg,c.jpg,0,1", "whom other lines make one"),
        ("a.jpg,b.jpg,1,one", "whole number"),
    ],
)
def test_wrong_pairs_are_problems_by_line(tmp_path, line, words):
    sets.put(tmp_path, *["a.jpg", "b.jpg", "c.jpg"])
    (tmp_path / "pairs.csv").write_text(f"image1,image2,same,fold\na.jpg,b.jpg,1,1\nb.jpg,c.jpg,1,1\n{line}\n")
    assert any("pairs.csv:4" in problem and words in problem for problem in read(tmp_path).problems)


def test_kinface_gives_relations_families_and_folds(tmp_path):
    table = read(sets.kinface(tmp_path))
    assert table.layout == "kinfacew"
    assert not table.problems
    pairs = table.named_pairs()
    assert set(pairs.kind.tolist()) == {"genuine", "general"}
    assert pairs.fold.max() == 3
    assert {r.family for r in table.records if r.person in ("fd_001_1", "fd_001_2")} == {"fd_001"}
    assert any("one photograph" in note for note in table.notes)


@pytest.mark.parametrize(
    "path",
    ["empty", "nothing"],
)
def test_what_is_no_set_of_faces_is_refused_with_what_was_looked_for(tmp_path, path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / path, "no such file" if path == "nothing" else "pairs.txt")


def test_a_named_layout_must_fit(tmp_path):
    with pytest.raises(DataError, match="needs KinFaceW"):
        read(sets.twins(tmp_path), "kinfacew")


def test_the_check_tells_visits_twins_copies_and_damage(tmp_path):
    sets.twins(tmp_path)
    report = detect(tmp_path).check(near=True)
    assert report.unit == "people"
    assert not report.problems
    (tmp_path / "a0/2009/0.jpg").write_bytes((tmp_path / "a1/2009/0.jpg").read_bytes())
    (tmp_path / "a2/2009/0.jpg").write_bytes(b"no picture")
    problems = " | ".join(detect(tmp_path).check().problems)
    assert "same image under several people" in problems
    assert "not a picture" in problems
    (tmp_path / "twins.json").write_text("[]")
    report = detect(tmp_path).check()
    assert (Path(__file__).parents[3] / f"configs/ahan/{report.recipe}.yaml").is_file()
    assert report.options == ["--data.twin_ratio=0"]


def test_one_visit_and_years_that_differ_are_told(tmp_path):
    rows = [f"{p}{k}.jpg,{p},{p},none,{day},{split}" for p, day, split in
            (("a", "2009-08-01", "train"), ("b", "2009-08-02", "train"), ("c", "2010-08-01", "test")) for k in range(2)]  # fmt: skip
    notes = " | ".join(detect(sets.csv_set(tmp_path, rows, "image,person,family,kind,captured,split")).check().notes)
    assert "3 of 3 people were seen on one visit only" in notes
    assert "no year is in both splits (train 2009 and test 2010)" in notes
