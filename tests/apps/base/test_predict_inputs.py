"""What `discern predict` is given: folders, patterns, lists, and what cannot be read."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.base.predict import predict
from apps.base.predict.answer import answer_rows
from apps.base.predict.inputs import Inputs
from apps.base.predict.reader import read_ahead
from apps.base.predict.run import run
from apps.base.shell import Shell

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 100,000 x 100,000."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_bad_inputs_are_rows_and_the_others_go_on(file, folder, ask, capsys):
    (folder / "aa-empty.png").write_bytes(b"")
    (folder / "bb-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "cc-bomb.png").write_bytes(bomb())
    code, rows = ask(file, folder, folder / "nowhere.png", "--batch", "4")
    assert code == 1
    assert len(rows) == 11
    bad = {row["input"].rpartition("/")[2] for row in rows if "error" in row}
    assert bad == {"aa-empty.png", "bb-broken.jpg", "cc-bomb.png", "nowhere.png"}
    assert all(row.keys() == {"input", "error"} and "\n" not in row["error"] for row in rows if "error" in row)


def test_a_name_that_no_file_can_have_is_a_row_like_any_that_is_not_there(file, folder, ask):
    code, rows = ask(file, "x" * 300, f"{'y' * 300}*", folder / "a.png")
    assert code == 1
    assert ["error" in row for row in rows] == [True, False]


def test_failures_are_reported_at_the_end_even_when_quiet(file, folder, capsys):
    assert predict(QUIET, [file, str(folder / "a.png"), str(folder / "nowhere.png")]) == 1
    assert "1 of 2 inputs failed; the first: " in capsys.readouterr().err


def test_nothing_readable_is_a_failure(file, tmp_path, ask):
    (tmp_path / "x.png").write_bytes(b"")
    code, rows = ask(file, tmp_path / "x.png")
    assert (code, len(rows)) == (1, 1)


@pytest.mark.parametrize("word", ["*.nothing", "."])
def test_no_inputs_is_the_users_mistake(file, tmp_path, word, ask, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(UserError, match="no inputs match"):
        ask(file, word)


class Picky:
    """Refuses a batch that holds a zero."""

    metadata = {"batching": "stack"}  # noqa: RUF012

    def prepare(self, item):
        return torch.tensor([float(item)])

    def forward(self, x):
        if (x == 0).any():
            raise RuntimeError("many lines\nno zeros please")
        return {"inverse": 1 / x}


def test_item_that_the_program_refuses_takes_no_other_with_it():
    results = list(run(Picky(), [(str(n), n, None) for n in (1, 0, 4)], batch=3))
    assert [result.error for result in results] == [None, "no zeros please", None]
    assert results[2].outputs["inverse"].item() == 0.25


def test_items_of_several_shapes_are_grouped_and_keep_their_order():
    class Sizes(Picky):
        def prepare(self, item):
            return torch.ones(item)

        def forward(self, x):
            calls.append(tuple(x.shape))
            return {"sum": x.sum(1)}

    calls = []
    results = list(run(Sizes(), [(str(n), n, None) for n in (3, 5, 3, 5, 3)], batch=5))
    assert [result.outputs["sum"].item() for result in results] == [3, 5, 3, 5, 3]
    assert sorted(calls) == [(2, 5), (3, 3)]


def test_single_batching_calls_forward_once_an_item():
    class Single(Picky):
        metadata = {"batching": "single"}  # noqa: RUF012

        def forward(self, x):
            assert x.shape == (1, 1)
            return {"x": x}

    assert len(list(run(Single(), [("a", 1, None), ("b", 1, None)], batch=8))) == 2


def test_answer_that_is_no_number_is_an_error():
    metadata = {"answer": [{"output": "score", "as": "value"}], "labels": []}
    rows = answer_rows(metadata, {"score": torch.tensor([0.5, float("nan")])})
    assert rows == [{"score": 0.5}, {"error": "the program's answer is not a number (score)"}]


# Inputs


def test_folders_are_walked_in_order_without_hidden_files_and_non_pictures(tmp_path):
    for name in ("b/2.PNG", "b/1.jpg", "a.png", "notes.txt", ".hidden.png", ".cache/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "nosuffix").write_bytes(b"\x89PNG\r\n\x1a\n....")
    inputs = Inputs([str(tmp_path)], io.StringIO())
    assert [path.removeprefix(f"{tmp_path}/") for path in inputs] == ["a.png", "nosuffix", "b/1.jpg", "b/2.PNG"]
    assert inputs.skipped == 1


def test_patterns_that_the_shell_left_are_matched(tmp_path):
    for name in ("b.png", "a.png", "sub/c.png", "odd[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.rpartition("/")[2] for path in Inputs([f"{tmp_path}/**/[ac].png", f"{tmp_path}/odd[1].png"], io.StringIO())]
    assert names == ["a.png", "c.png", "odd[1].png"]


def test_stdin_gives_a_list_of_paths(file, folder, ask, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{folder}/c.png\n\n{folder}/a.png\r\n"))
    code, rows = ask(file, "-")
    assert code == 0
    assert [row["input"] for row in rows] == [f"{folder}/c.png", f"{folder}/a.png"]


def test_inputs_are_lazy():
    def words():
        yield "one.png\n"
        raise AssertionError("read too far")

    assert next(iter(Inputs(["-"], words()))) == "one.png"


# Reading ahead


def test_reading_ahead_keeps_the_order_when_a_later_one_is_ready_first():
    second = threading.Event()

    def read(path):
        if path == "first":
            assert second.wait(30)
        else:
            second.set()
        return path

    assert list(read_ahead(["first", "second"], read, ahead=2, threads=2)) == [("first", "first", None), ("second", "second", None)]


def test_reading_ahead_is_bounded():
    asked = []

    def paths():
        for i in range(100):
            asked.append(i)
            yield i

    items = read_ahead(paths(), lambda path: path, ahead=3)
    next(items)
    assert len(asked) == 3
    items.close()


def test_reading_ahead_is_bounded_by_memory(monkeypatch):
    monkeypatch.setattr("apps.base.predict.reader.MEMORY", 10)
    read = []

    def large(path):
        read.append(path)
        return np.zeros(100, dtype=np.uint8)

    items = read_ahead(range(50), large, ahead=40, threads=1)
    for _ in range(10):
        next(items)
    pool = [thread for thread in threading.enumerate() if thread.name.startswith("read")]
    items.close()
    assert pool
    assert all(not thread.is_alive() for thread in pool)


def test_bug_in_a_reader_is_no_fault_of_the_input():
    def read(path):
        return path.nonsense

    with pytest.raises(AttributeError):
        list(read_ahead(["x"], read, ahead=2))
