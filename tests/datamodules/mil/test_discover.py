import pytest

from datamodules.errors import DataError
from datamodules.mil.slides.discover import find_slides, read_rows, slide_files, write_rows
from datamodules.mil.slides.state import Lock, State, digest, fingerprint
from tests.datamodules.mil.slides_here import small


@pytest.fixture
def wsi(tmp_path):
    folder = tmp_path / "wsi"
    (folder / "b").mkdir(parents=True)
    small(folder / "TCGA-05-4420-01Z-00-DX1.svs", side=300)
    small(folder / "TCGA-05-442.svs", side=300, resolution=False)
    small(folder / "b" / "x.svs", side=300)
    (folder / "b" / "TCGA-05-442.svs").write_bytes(b"hello")
    (folder / "broken.svs").write_bytes(b"hello")
    (folder / "notes.txt").write_text("x")
    return folder


def test_every_slide_has_a_row_and_every_problem_a_reason(wsi, tmp_path):
    rows = find_slides(slide_files([wsi]))
    by_path = {row.path.removeprefix(f"{wsi}/"): row for row in rows}
    assert len(rows) == 5
    assert by_path["TCGA-05-4420-01Z-00-DX1.svs"].mpp_x == 0.5
    assert by_path["TCGA-05-4420-01Z-00-DX1.svs"].patient_id == "TCGA-05-4420"
    assert by_path["TCGA-05-442.svs"].patient_id == ""  # no TCGA name: three digits
    assert by_path["TCGA-05-442.svs"].error.startswith("NoResolution")
    assert by_path["b/TCGA-05-442.svs"].error.startswith("second slide of this name")
    assert by_path["broken.svs"].error.startswith("SlideUnreadable")
    assert by_path["b/x.svs"].error == ""
    write_rows(tmp_path / "slides.csv", rows)
    assert read_rows(tmp_path / "slides.csv") == rows


def test_patterns_and_labels_that_match_nothing_are_refused(wsi):
    files = slide_files([wsi])
    with pytest.raises(DataError, match="matches none of 5"):
        find_slides(files, patient="^PAT-")
    with pytest.raises(DataError, match="labels name none"):
        find_slides(files, labels={"other": "1"})
    with pytest.raises(DataError, match="is no regular expression"):
        find_slides(files, patient="(")
    (wsi / "empty").mkdir()
    with pytest.raises(DataError, match="no slides in"):
        slide_files([wsi / "empty"])


def test_a_pattern_is_of_the_beginning_of_a_name_as_where_bags_are_shared_out(tmp_path):
    small(tmp_path / "a_p1.svs", side=64)
    small(tmp_path / "p2_b.svs", side=64)
    found = find_slides(slide_files([tmp_path]), patient=r"p\d")
    assert [row.patient_id for row in found] == ["", "p2"]


def test_a_mirax_side_folder_is_not_searched(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a.mrxs", "a/thumb.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in slide_files([tmp_path])] == ["a.mrxs", "b.jpg"]


def test_what_is_done_is_not_done_again_until_something_changes(tmp_path):
    out = tmp_path / "tiles.bin"
    out.write_bytes(b"abc")
    state = State(tmp_path / "states/a.json", {"id": "a"})
    state.begin("tile", "p", "i")
    assert not State(state.path, {"id": "a"}).complete("tile", "p", "i")  # still running, or killed
    state.end("tile", "done", outputs=[out])
    again = State(state.path, {"id": "a"})
    assert again.complete("tile", "p", "i")
    assert not again.complete("tile", "q", "i")
    assert not again.complete("tile", "p", "j")
    assert not again.complete("features", "p", "i")
    out.write_bytes(b"abcd")
    assert not again.complete("tile", "p", "i")
    out.unlink()
    assert not again.complete("tile", "p", "i")
    state.begin("tile", "p", "i")
    state.end("tile", "failed", "broken")
    assert state.complete("tile", "p", "i")
    assert not state.complete("tile", "p", "i", retry=True)
    assert [attempt["error"] for attempt in state.stages["tile"]["attempts"]] == [None, "broken"]


def test_a_state_that_is_no_state_is_begun_anew(tmp_path):
    for text in ("", "[]", "3", '{"schema": 99}'):
        (tmp_path / "a.json").write_text(text)
        assert State(tmp_path / "a.json", {"id": "a"}).stages == {}


def test_only_one_process_holds_a_lock_and_a_dead_ones_is_broken(tmp_path):
    import socket
    import subprocess
    import sys

    lock = Lock(tmp_path / "locks/a")
    assert lock.take()
    assert not Lock(lock.path).take()
    lock.release()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock.path.write_text(f"{socket.gethostname()} {ended.pid} 1.00")
    assert Lock(lock.path).take()
    lock.path.write_text("another-machine 1 1.00")
    assert not Lock(lock.path).take()


def test_a_fingerprint_changes_with_the_file(tmp_path):
    path = tmp_path / "a.svs"
    path.write_bytes(bytes(1_000_000))
    first = fingerprint(path)["quickhash"]
    path.write_bytes(bytes(500_000) + b"x" + bytes(499_999))
    assert fingerprint(path)["quickhash"] != first
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
