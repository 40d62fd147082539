from collections import Counter

import pytest

from datamodules.dcal import layouts
from datamodules.dcal.reid_layouts import find, read
from datamodules.dcal.reid_table import Sighting, picked_queries
from datamodules.errors import DataError
from tests.datamodules.dcal.reid_sets import ROWS, duke, market, msmt, pku, put, veri, viper
from tests.datamodules.dcal.sets import index

BUILDERS = {
    "market": market,
    "duke": duke,
    "msmt17": msmt,
    "veri776": veri,
    "viper": viper,
    "pku": pku,
    "reid-csv": lambda root: index(root, ROWS, "file,label,split,camera"),
}
PARTS = {"train": 0, "val": 1, "query": 2, "gallery": 2}


@pytest.mark.parametrize("name", BUILDERS)
def test_each_set_is_recognised_and_its_splits_share_no_identity(name, tmp_path):
    table = read(BUILDERS[name](tmp_path))
    assert find(tmp_path).name == table.layout == name
    assert not table.problems
    assert Counter(record.split for record in table.records).keys() == {"train", "val", "query", "gallery"}
    parts = {}
    for record in table.records:
        assert parts.setdefault(record.identity, PARTS[record.split]) == PARTS[record.split]
        assert record.file in table.store
    assert len(table.cameras) == 2
    assert read(tmp_path).records == table.records


@pytest.mark.parametrize("name", BUILDERS)
def test_each_set_passes_its_own_check_and_is_no_set_of_classes(name, tmp_path):
    root = BUILDERS[name](tmp_path)
    report = layouts.detect(root).check(near=True)
    assert not report.problems
    assert (report.unit, report.recipe) == ("identities", "reid")
    assert sum(report.counts.values()) == len(read(root).records)
    if name != "reid-csv":
        with pytest.raises(DataError, match="identities, not of classes"):
            layouts.read(root)


def test_training_identities_come_first_and_in_order(tmp_path):
    table = read(market(tmp_path))
    train = {record.identity for record in table.of("train")}
    assert table.identities[: len(train)] == sorted(train)
    assert len(table.identities) == len(set(table.identities)) == len({record.identity for record in table.records})


def test_market_drops_junk_and_keeps_the_background_in_the_gallery(tmp_path):
    table = read(market(tmp_path))
    assert not [record for record in table.records if record.identity == "-1"]
    assert [record.split for record in table.records if record.identity == "0000"] == ["gallery"]
    assert "1 junk pictures (person -1) left out, 1 of the background" in table.notes[0]


def test_a_name_that_says_nothing_is_named(tmp_path):
    put(market(tmp_path), "query/holiday.jpg")
    (problem,) = read(tmp_path).problems
    assert "query/holiday.jpg" in problem


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt_counts_persons_anew_in_each_half(folders, tmp_path):
    table = read(msmt(tmp_path, folders))
    assert table.cameras == ["1", "14"]
    assert {record.identity for record in table.of("query")} == {"test/0000", "test/0001", "test/0002"}
    assert "train/0000" in table.identities
    assert len(table.of("train", "val")) == 32  # list_train and list_val together


def test_msmt_bad_lines_are_named_by_list_and_line(tmp_path):
    msmt(tmp_path)
    (tmp_path / "test/0000/0000_000_01_0303morning_0000_0.jpg").unlink()
    with (tmp_path / "list_gallery.txt").open("a") as list_:
        list_.write("0003/holiday.jpg 3\n../0003_000_01_x.jpg 3\n0003/0003_004_01_0303morning_0004_0.jpg 3\n")
    problems = "\n".join(read(tmp_path).problems)
    for words in (
        "list_query.txt:1: no picture",
        "list_gallery.txt:9: '0003/holiday.jpg'",
        "list_gallery.txt:11: id",
        "list_gallery.txt:10",
    ):
        assert words in problems


@pytest.mark.parametrize("lists", [False, True])
def test_veri_keeps_the_queries_in_the_gallery_as_published_numbers_do_and_says_so(lists, tmp_path):
    table = read(veri(tmp_path, lists))
    assert [len(table.of(split)) for split in ("query", "gallery")] == [6, 12]
    assert any("6 gallery pictures are queries by name" in note for note in table.notes)
    assert table.cameras == ["1", "18"]
    (note,) = [note for note in find(tmp_path).check().notes if "also in the gallery" in note]
    assert note.startswith("6 query pictures")


def test_veri_lists_decide_and_a_missing_picture_is_named_by_line(tmp_path):
    veri(tmp_path, lists=True)
    put(tmp_path, "image_train/0777_c001_00000000_0.jpg")
    (tmp_path / "image_query/0009_c001_00016450_0.jpg").unlink()
    table = read(tmp_path)
    assert "0777" not in table.identities
    (problem,) = table.problems
    assert "name_query.txt:1: no picture" in problem


def test_viper_has_ten_half_splits_that_differ_and_repeat(tmp_path):
    viper(tmp_path)
    splits = [frozenset(r.identity for r in read(tmp_path, trial=trial).of("query")) for trial in range(10)]
    assert len(set(splits)) == 10
    assert {len(split) for split in splits} == {12}
    assert splits[3] == {record.identity for record in read(tmp_path, trial=3).of("gallery")}
    assert {record.camera for record in read(tmp_path).of("query")} == {"a"}
    with pytest.raises(DataError, match="trial 10: viper has 10 splits"):
        read(tmp_path, trial=10)


def test_a_trial_of_a_set_with_one_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="trial 1: market has 1 split,"):
        read(market(tmp_path), trial=1)


def test_pku_is_halved_by_person_with_a_query_a_person_and_camera(tmp_path):
    table = read(pku(tmp_path))
    assert len({record.identity for record in table.of("train", "val")}) == 10
    assert len(table.of("query")) == 20
    assert Counter((r.identity, r.camera) for r in table.of("query")).most_common(1)[0][1] == 1
    assert any("another kind than their extension" in note for note in find(tmp_path).check().notes)


def test_csv_of_persons_with_roles_in_a_zip(tmp_path):
    rows = [(f"{n}_{c}_{k}.jpg", n, c, "train", "train") for n in range(9) for c in (1, 2) for k in (1, 2)]
    rows += [(f"{n}_{c}_{k}.jpg", n, c, "test", "query" if k == 1 else "gallery") for n in range(9, 12) for c in (1, 2) for k in (1, 2)]
    table = read(index(tmp_path, rows, "file,person,camera,split,role", archive="images.zip"))
    assert not table.problems
    assert [len(table.of(split)) for split in ("query", "gallery")] == [6, 6]


def test_csv_test_rows_without_a_role_get_queries_by_name(tmp_path):
    rows = [(f"{n}_{c}_{k}.jpg", n, "train" if n < 8 else "test", c) for n in range(12) for c in (1, 2) for k in (1, 2)]
    table = read(index(tmp_path, rows, "file,label,split,camera"))
    assert [len(table.of(split)) for split in ("query", "gallery")] == [8, 8]
    assert any("without a role" in note for note in table.notes)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("", "p9", "query", 1), "no file name"),
        (("x.jpg", "", "query", 1), "no label"),
        (("x.jpg", "p9", "rehearsal", 1), "split 'rehearsal'"),
        (("t0_1_0.jpg", "p0", "train", 1), "is already in"),
        (("../x.jpg", "p9", "query", 1), "outside"),
        (("gone.jpg", "p9", "query", 1), "no picture"),
        (("x.jpg", "p9"), "2 cells under 4 columns"),
    ],
)
def test_csv_bad_row_is_named_by_file_and_line(row, words, tmp_path):
    index(tmp_path, [*ROWS, row], "file,label,split,camera", pictures={"gone.jpg": None})
    (problem,) = read(tmp_path).problems
    assert problem.startswith(f"{tmp_path}/index.csv:{len(ROWS) + 2}: ")
    assert words in problem


def test_csv_without_splits_is_refused_because_identities_are_not_split_by_guess(tmp_path):
    with pytest.raises(DataError, match="no column 'split'"):
        read(index(tmp_path, [("a.jpg", "p", 1)], "file,label,camera"))


def test_a_csv_of_classes_is_no_set_of_identities(tmp_path):
    index(tmp_path, [("a.jpg", "ant", "train"), ("b.jpg", "bee", "test")])
    assert find(tmp_path) is None
    assert layouts.detect(tmp_path).name == "csv"
    with pytest.raises(DataError, match=r"not recognised; looked for a CSV .*Market-1501.*VIPeR"):
        read(tmp_path)


def test_check_names_training_identities_with_one_picture(tmp_path):
    notes = checked(tmp_path, [*ROWS, ("single.jpg", "p99", "train", 1)]).notes
    assert any("1 training identities have one picture" in note and "single.jpg" in note for note in notes)


def seen(person, camera, number):
    return Sighting(f"{person}_{camera}_{number}", person, camera, "val")


def test_picked_queries_leave_something_to_be_found():
    two = [seen("a", camera, n) for camera in "12" for n in range(3)]
    assert sorted(file[:3] for file in picked_queries(two)) == ["a_1", "a_2"]
    assert picked_queries([seen("a", "1", 0), seen("a", "2", 0)]) == {"a_1_0"}
    assert picked_queries([seen("a", "1", 0), seen("a", "2", 0), seen("a", "2", 1)]) < {"a_2_0", "a_2_1"}
    assert picked_queries([seen("a", "1", 0)]) == set()
    assert len(picked_queries([seen("a", None, 0), seen("a", None, 1)])) == 1


def test_few_training_identities_spare_none_for_validation_and_say_so(tmp_path):
    table = read(market(tmp_path, train=6))
    assert not table.rows("val")
    assert any("too few to spare two for validation" in note for note in table.notes)


def checked(tmp_path, rows, pictures=None, columns="file,label,split,camera"):
    return layouts.detect(index(tmp_path, rows, columns, pictures=pictures)).check()


def test_check_names_identities_in_train_and_test(tmp_path):
    (problem,) = checked(tmp_path, [*ROWS, ("x.jpg", "p0", "gallery", 1)]).problems
    assert "1 identities in more than one of train, val, test" in problem
    assert "split by identity" in problem


def test_check_says_beforehand_that_one_camera_for_all_drops_every_match(tmp_path):
    (test,) = [p for p in checked(tmp_path, [(*row[:3], 0) for row in ROWS]).problems if "test queries" in p]
    assert "none of the 6 test queries has a match by another camera (cameras: 0)" in test
    assert "same-camera-allowed" in test


@pytest.mark.parametrize("columns", ["file,label,split,camera", "file,label,split"])
def test_check_says_which_protocol_takes_pictures_without_cameras(columns, tmp_path):
    rows = [(*row[:3], "") if "camera" in columns else row[:3] for row in ROWS]
    report = checked(tmp_path, rows, columns=columns)
    assert not report.problems
    assert any("14 test pictures have no camera" in note and "use protocol same-camera-allowed" in note for note in report.notes)


def test_check_counts_queries_with_matches_by_their_own_camera_only_and_without_any(tmp_path):
    rows = [row for row in ROWS if row[0] != "g8_2.jpg"] + [("lost.jpg", "p77", "query", 1)]
    notes = checked(tmp_path, rows).notes
    assert any("1 of 7 test queries have matches by their own camera only" in note and "q8_1.jpg" in note for note in notes)
    assert any("1 queries whose identity is not in the gallery" in note and "lost.jpg" in note for note in notes)
    assert any("2 gallery pictures of nobody who is asked for" in note for note in notes)


def test_check_finds_query_pictures_in_the_gallery_by_content(tmp_path):
    from tests.datamodules.dcal.sets import picture

    same = picture(999)
    other_camera = checked(tmp_path / "a", ROWS, {"q8_1.jpg": same, "g8_2.jpg": same})
    assert any("1 query pictures are also in the gallery" in problem for problem in other_camera.problems)
    own_camera = checked(tmp_path / "b", ROWS, {"q8_1.jpg": same, "g8_1.jpg": same})
    assert not own_camera.problems
    assert any("1 query pictures are also in the gallery" in note and "same-camera-allowed finds it" in note for note in own_camera.notes)
    two_persons = checked(tmp_path / "c", ROWS, {"q8_1.jpg": same, "g9_2.jpg": same})
    assert any("same picture under several identities" in problem for problem in two_persons.problems)
