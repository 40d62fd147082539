"""The verbs as a user calls them, with untrained readers."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.otsnet.layouts import read as read_set
from tests.apps.otsnet.tiny_files import weights_file, write_pictures
from tests.system.command import Here


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return weights_file(tmp_path)


def test_what_people_read_is_three_columns(here: Here, tmp_path: Path, model: Path) -> None:
    paths = write_pictures(tmp_path / "in")
    done = here("otsnet", "read", "in", "--model", model)
    assert done.returncode == 0, done.stderr
    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["path", "text", "confidence", "warnings", "error"]
    assert [row[0] for row in rows] == [f"in/{path.name}" for path in paths]


def test_every_format_tells_the_same(here: Here, tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in")
    lines = [json.loads(line) for line in here("otsnet", "read", "in", "--model", model, "--format", "jsonl").stdout.splitlines()]
    assert here("otsnet", "read", "in", "--model", model, "-o", "out.csv").stdout == ""
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    for line, row in zip(lines, rows, strict=True):
        assert row["text"] == line["text"]
        assert float(row["confidence"]) == line["confidence"]
        assert json.loads(row["char_boxes"]) == line["char_boxes"]
        assert len(line["char_probs"]) == len(line["char_boxes"]) == len(line["verified"]) == len(line["text"])
        assert all(0 <= x0 <= x1 <= 50 and 0 <= y0 <= y1 <= 20 for x0, y0, x1, y1 in line["char_boxes"])


def test_the_folder_is_a_set_that_can_be_trained_on(here: Here, tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in")
    done = here("otsnet", "read", "in", "--model", model, "--folder", "words")
    texts = [line.split("\t")[1] for line in done.stdout.splitlines()[1:]]
    table = read_set(tmp_path / "words")
    assert (table.layout, [record.label for record in table.records], table.problems) == ("tsv", texts, [])
    assert (tmp_path / "words" / "all.csv").is_file()
    again = here("otsnet", "read", "in", "--model", model, "--folder", "words")
    assert again.returncode == 2
    assert "maybe corrected" in again.line


def test_a_charset_never_makes_a_word_empty(here: Here, tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in")
    done = here("otsnet", "read", "in", "--model", model, "--charset", "e")
    texts = [line.split("\t")[1] for line in done.stdout.splitlines()[1:]]
    assert len(texts) == 3
    assert all(text and set(text) == {"e"} for text in texts)


def test_capitals_are_read_as_small_letters_where_36_characters_are_asked_for(here: Here, tmp_path: Path) -> None:
    picture = np.full((48, 150, 3), 255, np.uint8)
    cv2.putText(picture, "HOTEL", (8, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.3, (0, 0, 0), 3)
    cv2.imwrite(str(tmp_path / "sign.png"), picture)
    free, folded = (
        here("otsnet", "read", "sign.png", *more).stdout.splitlines()[1].split("\t")[1] for more in ((), ("--charset", "36"))
    )  # by the starter
    assert (free, folded) == ("HOTEL", "hotel")


def test_a_broken_picture_does_not_take_the_others_with_it(here: Here, tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in")
    (tmp_path / "in" / "a.png").write_bytes(b"")
    done = here("otsnet", "read", "in", "nowhere.png", "--model", model)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 6
    assert "2 of 5 inputs could not be read; the first: in/a.png: empty file" in done.line
    (tmp_path / "words.tgz").write_bytes(b"packed")
    done = here("otsnet", "read", "words.tgz", "in", "--model", model)
    assert "the first: words.tgz: archives of this kind are not read; give a zip, a tar or the folder itself" in done.line


WRONG = [
    (("nothing*.png",), "no inputs match"),
    (("empty",), "no inputs match: empty"),
    (("in", "--pattern", "[a"), "ends too early"),
    (("in", "--charset", "xyz"), "does not know 'x'"),
    (("in", "--charset", "ab", "--pattern", "a"), "write them into the pattern"),
    (("in", "--charset", ""), "--charset names no character"),
    (("in", "--charset", "36"), "--charset: the reader does not know '0'"),
    (("in", "--charset", "a-f"), "a-f is no range here"),
    (("in", "--pattern", ""), "--pattern '': it matches the empty word alone"),
    (("in", "--lexicon", "none.txt"), "none.txt"),
    (("in", "--boxes", "nope.csv"), "nope.csv: No such file"),
    (("in", "--boxes", "in/word-0.png"), "in/word-0.png"),
    (("in", "--detector", "nope.onnx"), "nope.onnx"),
    (("in", "--detector", "foreign.onnx"), "foreign.onnx"),
    (("in", "-o", "out.txt"), "the suffix names the format"),
    (("in", "-o", "out.csv", "--format", "jsonl"), "leave one of them out"),
    (("in", "-o", "nowhere/out.csv"), "names no file in an existing folder"),
    (("in", "--min-confidence", "2"), "no number of 0 to 1"),
    (("in", "--iterations", "6"), "not a count of 0 to 5"),
    (("in", "--rotate", "left"), "invalid choice"),
    (("in", "--trust"), "--trust goes with an exported program"),
    (("in", "--run", "first"), "--run goes with --model best or last"),
    (("in", "--device", "cuda"), "--device cuda"),
]


@pytest.mark.parametrize(("words", "why"), WRONG)
def test_a_mistake_is_one_line(here: Here, tmp_path: Path, model: Path, words: tuple[str, ...], why: str) -> None:
    write_pictures(tmp_path / "in", 1)
    (tmp_path / "foreign.onnx").write_bytes(b"nothing that anybody vouches for")
    (tmp_path / "empty").mkdir()
    done = here("otsnet", "read", *words, "--model", model)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.line


def test_a_reader_without_a_verifier_cannot_refine(here: Here, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 1)
    done = here("otsnet", "read", "in", "--model", weights_file(tmp_path, "ctc"), "--iterations", "1")
    assert (done.returncode, "no verifier" in done.line) == (2, True)


def test_labels_of_a_set_are_claims(here: Here, tmp_path: Path, model: Path) -> None:
    paths = write_pictures(tmp_path / "set")
    (tmp_path / "set" / "labels.tsv").write_text(
        "".join(f"{path.name}\t{text}\n" for path, text in zip(paths, ("ab", "xy", "f"), strict=True))
    )
    done = here("otsnet", "verify", "--claims", "set", "--model", model)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert "1 of 3 pictures could not be judged" in done.line
    assert [row["claim"] for row in rows] == ["ab", "xy", "f"]
    assert "does not know 'x'" in rows[1]["error"]
    assert rows[0]["contradicted"] == [i for i, one in enumerate(rows[0]["characters"]) if one["probability"] < 0.5]
    (alone,) = (json.loads(line) for line in here("otsnet", "verify", paths[0], "ab", "--model", model).stdout.splitlines())
    assert alone["probability"] == pytest.approx(rows[0]["probability"], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "needs a PICTURE and its TEXT"),
        (("in/word-0.png",), "needs a PICTURE and its TEXT"),
        (("in/word-0.png", "ab", "--claims", "in"), "needs a PICTURE and its TEXT"),
        (("in/word-0.png", "abcdef"), "more than 5 characters"),
        (("none.png", "ab"), "none.png"),
        (("--claims", "in"), "not recognised"),
    ],
)
def test_a_wrong_claim_is_one_line(here: Here, tmp_path: Path, model: Path, words: tuple[str, ...], why: str) -> None:
    write_pictures(tmp_path / "in", 1)
    done = here("otsnet", "verify", *words, "--model", model)
    assert done.returncode == 2
    assert why in done.line


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "finetune needs your words"),
        (("--data.path=in", "--from", "none.safetensors"), "no such file"),
        (("--data.path=in", "--from", "model.ts"), "a checkpoint or a .safetensors file"),
        (("--data.path=in", "--from", "otsnet.safetensors", "--run", "first"), "--run goes with --from best or last"),
        (("--data.path=in", "--from", "otsnet.safetensors", "--charset", "aa"), "twice in the charset"),
        (("--data.path=in", "--from", "otsnet.safetensors", "--charset", "+"), "say behind it which characters to add"),
    ],
)
def test_a_wrong_start_is_one_line(here: Here, model: Path, words: tuple[str, ...], why: str) -> None:
    done = here("otsnet", "finetune", *words)
    assert done.returncode == 2
    assert why in done.line


def test_words_of_photographs_are_read_one_by_one_and_lie_where_they_are(here: Here, tmp_path: Path, model: Path) -> None:
    picture = np.full((120, 300, 3), 255, np.uint8)
    cv2.putText(picture, "alpha", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    cv2.imwrite(str(tmp_path / "page.png"), picture)
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((120, 300, 3), 255, np.uint8))
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\npage.png,10,20,200,90\n")
    for words in (("--find",), ("--boxes", "boxes.csv")):
        done = here("otsnet", "read", "page.png", *words, "--model", model, "-o", "out.jsonl")
        assert done.returncode == 0, done.stderr
        (row,) = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
        assert row["path"] == "page.png#1"
        (x0, y0), _, (x1, y1), _ = row["box"]
        assert x0 < 30
        assert x1 > 100
        assert y0 < 60 < y1
        assert all(x0 - 5 <= a <= c <= x1 + 5 and y0 - 5 <= b <= d <= y1 + 5 for a, b, c, d in row["char_boxes"])
        (tmp_path / "out.jsonl").unlink()
    done = here("otsnet", "read", "blank.png", "--find", "--model", model)
    assert done.returncode == 0
    assert "no word was found in 1 photographs" in done.stderr
    assert "give one of them" in here("otsnet", "read", "page.png", "--find", "--boxes", "boxes.csv", "--model", model).line
