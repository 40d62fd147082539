"""What `discern predict` and `discern.load` promise, in this process. Whole processes are in tests/system."""

import csv
import io
import json
import struct
import threading
import zlib

import cv2
import numpy as np
import pytest
import torch

import discern
from apps.base import trust
from apps.base.errors import UserError
from apps.base.predict import predict, verb
from apps.base.predict.answer import answer_rows, columns, flat
from apps.base.predict.inputs import Inputs
from apps.base.predict.program_file import ProgramFile, take
from apps.base.predict.reader import read_ahead
from apps.base.predict.run import run
from apps.base.shell import Shell
from apps.cli import Terminated
from datamodules.pictures import read_picture
from datamodules.whole import sha256
from tests.apps.base.tiny_program import LABELS, Tiny, tiny_file

QUIET = Shell(quiet=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def file():
    trust.add(sha256(tiny_file(".ts")))
    return str(tiny_file(".ts"))


@pytest.fixture
def folder(tmp_path):
    """Seven pictures of several sizes, the names in no order of their making."""
    folder = tmp_path / "birds"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i, name in enumerate("gcaebfd"):
        picture = random.integers(0, 256, (20 + 7 * i, 50 - 3 * i, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.blur(picture, (3, 3)))
    return folder


@pytest.fixture
def ask(capsys):
    def ask(*argv):
        code = predict(QUIET, [str(word) for word in argv])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def close(one, other, to=1e-6):
    if isinstance(one, float):
        return abs(one - other) <= to * max(1.0, abs(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key], to) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(close(a, b, to) for a, b in zip(one, other, strict=True))
    return one == other


def test_rows_of_torchscript_pt2_and_the_program_agree(file, folder, ask):
    code, rows = ask(file, folder, "--full")
    assert code == 0
    code, heir = ask(tiny_file(".pt2"), folder, "--full", "--trust")
    assert code == 0
    assert close(rows, heir, 1e-5)
    program = Tiny().eval()
    for row in rows:
        with torch.inference_mode():
            outputs = program(program.prepare(torch.from_numpy(read_picture(row["input"])))[None])
        assert close({"input": row["input"], **answer_rows(program.metadata(), outputs, full=True)[0]}, row, 1e-5)


def test_rows_keep_the_order_of_the_inputs(file, folder, ask):
    words = [folder / f"{name}.png" for name in "dbagcfe"]
    _, rows = ask(file, *words, "--batch", "3")
    assert [row["input"] for row in rows] == [str(word) for word in words]


def test_batch_size_does_not_change_the_answers(file, folder, ask):
    _, alone = ask(file, folder, "--full", "--batch", "1")
    for batch in ("2", "5", "64"):
        _, together = ask(file, folder, "--full", "--batch", batch)
        assert close(alone, together)


def test_short_rows_leave_out_what_is_long(file, folder, ask):
    _, rows = ask(file, folder)
    assert rows[0].keys() == {"input", "probs", "sure", "best"}
    assert rows[0]["probs"][0]["label"] == LABELS[rows[0]["best"]]
    assert len(rows[0]["probs"]) == 3


# Trust


def test_file_from_elsewhere_is_refused_and_accepted_with_trust(folder, ask, home):
    stranger = tiny_file(".ts")
    with pytest.raises(UserError, match=sha256(stranger)):
        ask(stranger, folder)
    code, rows = ask(stranger, folder, "--trust")
    assert (code, len(rows)) == (0, 7)
    with pytest.raises(UserError, match="--trust"):
        discern.load(stranger)
    assert discern.load(stranger, trust=True).labels == LABELS


def test_what_was_hashed_is_what_is_loaded(tmp_path, file):
    path = tmp_path / "swapped.ts"
    path.write_bytes(tiny_file(".ts").read_bytes())
    taken = take(path, trusting=False)
    path.write_bytes(b"something else")
    assert ProgramFile(taken).metadata["labels"] == LABELS


def test_weights_alone_are_no_program(tmp_path, folder, ask):
    with pytest.raises(UserError, match=r"weights only.*\.ts"):
        ask(tiny_file(".safetensors"), folder, "--trust")


def test_any_other_file_is_no_program(tmp_path, folder, ask):
    (tmp_path / "notes.ts").write_text("hello")
    with pytest.raises(UserError, match="no exported program"):
        ask(tmp_path / "notes.ts", folder, "--trust")


def test_torchscript_of_others_is_named_so(tmp_path, folder, ask):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "other.ts"))
    with pytest.raises(UserError, match="no discern metadata"):
        ask(tmp_path / "other.ts", folder, "--trust")


# Bad inputs


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


# Outputs


def test_csv_has_the_same_answers(file, folder, ask, capsys):
    (folder / "zz.png").write_bytes(b"")
    _, rows = ask(file, folder, "--full")
    assert predict(QUIET, [file, str(folder), "--full", "--format", "csv"]) == 1
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(table) == len(rows) == 8
    assert list(table[0]) == columns(Tiny().metadata(), full=True)
    for cells, row in zip(table, rows, strict=True):
        assert {name: cell for name, cell in cells.items() if cell != ""} == {name: str(value) for name, value in flat(row).items()}


def test_out_is_written_whole_and_stdout_stays_empty(file, folder, tmp_path, ask):
    code, rows = ask(file, folder, "-o", tmp_path / "rows.jsonl")
    assert (code, rows) == (0, [])
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 7


@pytest.mark.parametrize("end", [KeyboardInterrupt, Terminated])
@pytest.mark.parametrize("out", [True, False])
def test_what_ends_it_from_outside_keeps_the_finished_rows(file, folder, tmp_path, capsys, monkeypatch, out, end):
    honest, seen = verb.answer_rows, []

    def answers(*args):
        seen.append(args)
        if len(seen) == 4:
            raise end
        return honest(*args)

    monkeypatch.setattr(verb, "answer_rows", answers)
    with pytest.raises(end):
        predict(QUIET, [file, str(folder), *(["-o", str(tmp_path / "rows")] if out else [])])
    text = (tmp_path / "rows").read_text() if out else capsys.readouterr().out
    assert len([json.loads(line) for line in text.splitlines()]) == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_pictures_are_written_with_their_answers(file, folder, tmp_path, ask):
    (folder / "ee-broken.png").write_bytes(b"")
    code, rows = ask(file, folder, "--pictures", tmp_path / "drawn")
    assert code == 1
    assert "heat" not in rows[0]
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == 7
    sizes = {cv2.imread(str(path)).shape for path in drawn}
    assert all(height > 0 and width > 640 for height, width, _ in sizes)  # the picture, and the map beside it


def test_name_that_is_no_text_is_still_a_row(file, folder, ask):
    odd = str(folder).encode() + b"/caf\xe9.png"
    with open(odd, "wb") as copy:  # noqa: PTH123
        copy.write((folder / "a.png").read_bytes())
    code, rows = ask(file, folder)
    assert code == 0
    assert sum(row["input"].endswith("caf\\xe9.png") for row in rows) == 1


# Mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--batch", "0"], "0.*1 or more"),
        (["--device", "tpu"], "tpu"),
        (["--formt", "csv"], "did you mean '--format'"),
        (["-o", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_mistakes_are_one_line(file, folder, ask, words, says):
    with pytest.raises(UserError, match=says):
        ask(file, folder, *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_absent_cuda_is_named_with_the_remedy(file, folder, ask):
    with pytest.raises(UserError, match=r"no CUDA device.*--device cpu"):
        ask(file, folder, "--device", "cuda")


# In Python


def test_load_answers_for_paths_arrays_and_lists(file, folder):
    birds = discern.load(file)
    path = str(folder / "a.png")
    array = read_picture(path)
    alone, pair = birds(path), birds([path, array])
    assert birds(array) == alone
    assert len(pair) == 2
    for answer in pair:  # a batch may add up in another order
        assert [row["label"] for row in answer["probs"]] == [row["label"] for row in alone["probs"]]
        np.testing.assert_allclose(answer["features"], alone["features"], rtol=1e-5)
    assert birds([]) == []
    assert birds(path).keys() == {"probs", "sure", "best", "features", "heat"}
    assert birds.metadata["labels"] == birds.labels == LABELS


def test_load_gives_raw_tensors(file, folder):
    birds = discern.load(file)
    raw = birds.raw([folder / f"{name}.png" for name in "abcdefg"] * 2)
    assert raw["features"].shape == (14, 6)
    assert raw["best"].dtype == torch.int64
    torch.testing.assert_close(birds.raw(folder / "c.png")["probs"], raw["probs"][2:3])


def test_load_names_what_it_cannot_read(file, folder):
    birds = discern.load(file)
    with pytest.raises(UserError, match=r"nowhere\.png"):
        birds(folder / "nowhere.png")
    with pytest.raises(UserError, match=r"image 0: .*uint8 array of shape"):
        birds(np.zeros((4, 4, 3), dtype=np.float32))
    with pytest.raises(UserError, match="not a NoneType"):
        birds(None)


def test_ragged_items_go_through_together_and_come_back_apart(tmp_path):
    from apps.base.export import export_program
    from tests.apps.base.test_export import Bags

    class Attentive(Bags):
        def forward(self, flat: torch.Tensor, offsets: torch.Tensor) -> dict[str, torch.Tensor]:
            weight = self.score(flat).sigmoid().squeeze(1)
            index = torch.bucketize(torch.arange(flat.shape[0], device=flat.device), offsets[1:], right=True)
            total = torch.zeros(offsets.shape[0] - 1, dtype=flat.dtype, device=flat.device).index_add(0, index, weight)
            return {"mean": total, "weight": weight}

        def metadata(self):
            return {**super().metadata(), "batching": "ragged", "along": ["weight"]}

    program = Attentive()
    export_program(program, tmp_path / "bags.ts", None, QUIET)
    bags = [torch.rand(n, 5) for n in (3, 1, 7, 2)]
    results = list(run(ProgramFile(take(tmp_path / "bags.ts", False)), [(i, bag, None) for i, bag in enumerate(bags)], batch=3))
    for bag, result in zip(bags, results, strict=True):
        alone = program(bag, torch.tensor([0, len(bag)]))
        torch.testing.assert_close(result.outputs["mean"], alone["mean"])
        torch.testing.assert_close(result.outputs["weight"][0], alone["weight"])
