"""What `discern data check` tells of instances."""

import pytest

from datamodules.accord.formats import write
from datamodules.accord.layouts import detect
from datamodules.errors import DataError
from tests.datamodules.accord.formats.instances import plain


@pytest.fixture
def folder(tmp_path):
    for kind in ("tsp", "cvrp", "jssp"):
        write(plain(kind, kind), tmp_path / f"{kind}.{ {'tsp': 'tsp', 'cvrp': 'vrp', 'jssp': 'txt'}[kind] }")
    write([plain("binpack", "a"), plain("binpack", "b")], tmp_path / "bins.txt")
    return tmp_path


def test_a_folder_is_counted_by_kind_and_format(folder):
    report = detect(folder).check()
    assert report.counts == {"tsp": 1, "cvrp": 1, "binpack": 2, "jssp": 1}
    assert report.classes == 4
    assert "tsplib 1" in " ".join(report.notes)
    assert "sizes: tsp 4 nodes; cvrp 3 customers; binpack 5 items; jssp 3 jobs" in report.notes
    assert report.verb == "solve"
    assert report.problems == [f"the same instance 2 times: {folder}/bins.txt#1, {folder}/bins.txt#2; keep one, or results count it again"]


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "jssp"])
def test_a_file_is_told_with_its_format(kind, folder):
    path = next(path for path in folder.iterdir() if path.stem == kind)
    report = detect(path).check()
    assert report.counts == {kind: 1}
    assert report.format == {"tsp": "tsplib", "cvrp": "cvrplib", "jssp": "job-shop"}[kind]
    assert report.problems == []


def test_broken_files_are_named_and_do_not_take_the_others_with_them(folder):
    (folder / "cut.vrp").write_text((folder / "cvrp.vrp").read_text().replace("DIMENSION : 4", "DIMENSION : 5"))
    (folder / "cut.txt").write_text("3 2\n0 1 1 2\n")
    (folder / "windows.vrp").write_text((folder / "cvrp.vrp").read_text().replace("DEPOT_S", "TIME_WINDOW_SECTION\n1 0 9\nDEPOT_S"))
    (folder / "list.csv").write_text("file,label\na.png,cat\n")
    (folder / "picture.bin").write_bytes(b"\0\1\2" * 100)
    report = detect(folder).check()
    assert sum(report.counts.values()) == 5
    said = " ".join(report.problems)
    assert "cut.vrp, line" in said
    assert "cut.txt, line 2: expected 3 jobs, found 1" in said
    assert "windows.vrp, line" in said
    assert "time windows, which is not modelled; use PyVRP" in said
    assert any("2 files are of no format of these" in note for note in report.notes)


def test_the_same_instance_in_two_formats_is_the_same_instance(tmp_path):
    write(plain("knapsack", "a"), tmp_path / "a.kp")
    write(plain("knapsack", "b"), tmp_path / "b.csv")
    assert detect(tmp_path).check().problems == [
        f"the same instance 2 times: {tmp_path}/a.kp, {tmp_path}/b.csv; keep one, or results count it again"
    ]


def test_best_values_of_the_list_and_of_the_files_are_compared(folder):
    text = (folder / "cvrp.vrp").read_text()
    (folder / "cvrp.vrp").write_text(text.replace("TYPE", "COMMENT : (Optimal value: 30)\nTYPE", 1))
    (folder / "best_known.csv").write_text("file,member,best,proven\ncvrp.vrp,,29,1\nbins.txt,2,3,1\ngone.vrp,,4,1\n")
    report = detect(folder).check()
    assert "best known values: 2 of 5 in best_known.csv, 1 in the files" in report.notes
    assert "best_known.csv and the files differ in 1: cvrp 29 (the file says 30)" in report.notes
    assert "best_known.csv lists what is not there: gone.vrp" in report.problems


def test_the_fingerprint_is_that_of_the_contents(folder):
    before = detect(folder).check().fingerprint
    (folder / "tsp.tsp").rename(folder / "other.tsp")
    assert detect(folder).check().fingerprint == before
    (folder / "other.tsp").write_text((folder / "other.tsp").read_text().replace("3 4", "3 5"))
    assert detect(folder).check().fingerprint != before


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"labels.csv": "file,label\na.png,cat\n"},
        {"DS_A.txt": "1, 2\n2, 1\n2, 3\n3, 2\n", "DS_graph_indicator.txt": "1\n1\n2\n2\n", "DS_graph_labels.txt": "0\n"},
        {"a.json": '{"x": [[1, 0]], "edges": [[0, 0]]}'},
        {"a.json": '{"kind": "published-10fold", "folds": []}'},
        {"words.txt": "img/word_1.png\thello\n"},
        {"a.png": "\x89PNG\0\0"},
    ],
)
def test_data_of_other_applications_is_not_claimed(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="no instances of a problem; looked for ours"):
        detect(tmp_path)
