"""What `discern predict` promises, in this process. Whole processes are in tests/system."""

import csv
import io
import json
import threading
import warnings

import cv2
import numpy as np
import pytest
import torch

import discern
from apps.base import command as shared
from apps.base.card import find_card
from apps.base.errors import UserError
from apps.base.predict import predict, verb
from apps.base.predict.answer import answer_rows, columns, flat
from apps.base.predict.picture import draw
from apps.base.predict.program_file import ProgramFile, take, take_own
from apps.base.shell import Shell
from apps.cli import Terminated
from datamodules.pictures import read_picture
from datamodules.whole import sha256
from tests.apps.base.tiny_program import LABELS, Tiny, tiny_file

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


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


def test_a_verb_of_an_application_takes_only_files_of_its_own_programs():
    stranger = tiny_file(".ts")
    assert take_own(find_card("dcal"), stranger, True).metadata()["program"] == "classify"
    assert take_own(find_card("dcal"), stranger, True, "classify").metadata()["app"] == "dcal"
    with pytest.raises(UserError, match=r"is a file of dcal \(classify\), and mil.s bags or risks is needed; `discern mil"):
        take_own(find_card("mil"), stranger, False)  # said before it is asked to be trusted
    with pytest.raises(UserError, match="dcal's embed is needed; ask elsewhere"):
        take_own(find_card("dcal"), stranger, True, "embed", remedy="ask elsewhere")
    with pytest.raises(UserError, match="--trust"):
        take_own(find_card("dcal"), stranger, False)


def test_predict_of_an_application_takes_its_own_files_alone_and_names_the_word_that_takes_all(file, folder, capsys):
    with pytest.raises(UserError, match=r"is a file of dcal .*mil's bags or risks is needed; `discern predict` takes"):
        predict(QUIET, [file, str(folder)], find_card("mil"))
    assert shared.predict(QUIET, [file, str(folder)], find_card("dcal")) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    with pytest.raises(SystemExit):
        shared.predict(QUIET, ["--help"], find_card("dcal"))
    assert capsys.readouterr().out.startswith("usage: discern dcal predict ")


def test_a_file_whose_metadata_lacks_something_is_named_with_what_it_lacks(tmp_path, folder, ask):
    told = {"schema": 1, "app": "tiny", "program": "tiny"}
    with warnings.catch_warnings(action="ignore"):
        scripted = torch.jit.script(torch.nn.Linear(2, 2))
        torch.jit.save(scripted, str(tmp_path / "half.ts"), _extra_files={"discern.json": json.dumps(told)})
    with pytest.raises(UserError, match=r"half.ts: its metadata lacks labels, answer, .*; export it again"):
        ask(tmp_path / "half.ts", folder, "--trust")


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


def test_a_file_named_csv_gets_csv_and_one_format_does_not_go_into_a_file_of_the_other(file, folder, tmp_path, ask):
    assert ask(file, folder, "-o", tmp_path / "rows.csv") == (0, [])
    assert len(list(csv.DictReader((tmp_path / "rows.csv").open()))) == 7
    for form, name in (("jsonl", "rows.CSV"), ("csv", "rows.jsonl")):
        with pytest.raises(UserError, match=f"--format {form} does not go into .*; name another with -o"):
            ask(file, folder, "--format", form, "-o", tmp_path / name)


@pytest.mark.parametrize("inputs", ["{folder}/a.png", "{folder}", "{folder}/*.png", "-"])
def test_neither_the_program_nor_an_input_is_overwritten_with_rows(file, folder, tmp_path, ask, monkeypatch, inputs):
    picture, link = folder / "a.png", tmp_path / "link.ts"
    before = picture.read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{picture}\n"))
    link.symlink_to(file)
    for out in (picture, link):
        with pytest.raises(UserError, match=r"-o .* is read from, and would be overwritten; name another file"):
            ask(file, inputs.format(folder=folder), "-o", out)
    assert picture.read_bytes() == before
    assert link.is_symlink()


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


def test_an_even_map_is_drawn_as_even():
    noise = np.random.default_rng(0).uniform(0.99, 1.01, (4, 4)) / 16
    grey = np.full((64, 64, 3), 128, np.uint8)
    heat = draw(grey, {"rollout": noise.tolist()}, ["rollout"])[:640, 640:1280].astype(int)
    assert np.abs(heat - heat.mean((0, 1))).max() < 12


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
