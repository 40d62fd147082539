"""`otsnet synth` and `otsnet convert`: words by number, with the true box of every letter, that every reader of the field's sets takes."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.errors import DataError
from datamodules.otsnet.convert import convert
from datamodules.otsnet.datamodule import Words
from datamodules.otsnet.dataset import WordDataset, load_word
from datamodules.otsnet.generator import Generator
from datamodules.otsnet.layouts import detect
from datamodules.otsnet.lmdb_words import Written, letter_boxes, write_words
from tests.system.command import Here


def made(here: Here, *words: Any, out: str = "made", count: int = 6) -> dict[str, Any]:
    said = here("otsnet", "synth", "--out", out, "--count", count, *words)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def refused(here: Here, *words: Any) -> str:
    said = here("otsnet", *words)
    assert said.returncode == 2, said.stderr
    assert said.stdout == ""
    return said.line


def test_made_words_carry_their_labels_and_the_boxes_of_their_letters(here: Here) -> None:
    answer = made(here, "--seed", 3, "--png", "--profile", "easy")
    assert (answer["words"], answer["characters"]) == (6, 94)
    generator, table = Generator(profile="easy", seed=3), detect("made").as_it_is()
    assert table.problems == []
    for number, record in enumerate(table.records):
        drawn = generator.draw(number)
        assert record.label == drawn.label
        assert np.array_equal(load_word(table.store, record), drawn.image)
        assert record.boxes is not None
        assert np.allclose(np.asarray(record.boxes) / [128, 32, 128, 32], drawn.boxes)


def test_training_on_made_words_knows_where_the_letters_are(here: Here) -> None:
    made(here, count=20)
    data = Words(path="made")
    data.setup("test")
    assert isinstance(data.test_set, WordDataset)
    assert all(bool(data.test_set[i]["boxes"].isfinite().any()) for i in range(len(data.test_set)))


def test_own_words_that_cannot_be_written_are_counted_and_named(here: Here) -> None:
    Path("own.txt").write_text("open\nStraße\n日本\n", encoding="utf-8")
    said = here("otsnet", "synth", "--out", "made", "--count", 2, "--words", "own.txt")
    assert said.returncode == 0
    assert "2 words are too long or cannot be written in the charset, left out: Straße, 日本" in said.stderr


def test_numbers_say_the_pictures_and_a_second_half_is_the_second_half(here: Here) -> None:
    for out, first, count in (("whole", 0, 6), ("again", 0, 6), ("half", 3, 3)):
        made(here, "--first", first, out=out, count=count)
    assert Path("whole/data.mdb").read_bytes() == Path("again/data.mdb").read_bytes()
    whole, half = (detect(name).as_it_is() for name in ("whole", "half"))
    assert [record.label for record in whole.records[3:]] == [record.label for record in half.records]
    assert whole.store.read("image-000000004") == half.store.read("image-000000001")


def test_own_words_a_charset_a_sheet_and_a_list(here: Here) -> None:
    Path("own.txt").write_text("Harbour\nquay\n")
    answer = made(here, "--words", "own.txt", "--charset", "36", "--sheet", "sheet.png", "--boxes", "--list", "all.txt")
    labels = Path("all.txt").read_text().splitlines()
    assert labels == [record.label for record in detect("made").as_it_is().records]
    assert set(labels) <= {"harbour", "quay"}
    assert answer["characters"] == 36
    with Image.open("sheet.png") as sheet:
        assert (np.asarray(sheet.convert("RGB")) == (255, 0, 0)).all(2).any()


def test_the_folds_of_training_and_of_validation_share_no_word(here: Here) -> None:
    labels = []
    for out, words in (("train", ()), ("val", ("--heldout",))):
        made(here, *words, out=out, count=60)
        labels.append({record.label.casefold() for record in detect(out).as_it_is().records if len(record.label) > 2})
    assert not labels[0] & labels[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("synth", "--out", "full"), "is there already"),
        (("synth", "--out", "new", "--boxes"), "add --sheet"),
        (("synth", "--out", "new", "--count", "0"), "not a count of 1 or more"),
        (("synth", "--out", "new", "--seed", "-1"), "is no seed"),
        (("synth", "--out", "new", "--words", "none.txt"), "none.txt"),
        (("synth", "--out", "new", "--fonts", "none.ttf"), "none.ttf is not there"),
        (("synth", "--out", "new", "--difficulty", "2"), "not between 0 and 1"),
        (("synth", "--out", "new", "--charset", "aa"), "twice in the charset"),
        (("synth", "--out", "new", "--profile", "embedded", "--charset", "36"), "leave it out"),
        (("synth", "--out", "new", "--sheet", "no/where.png"), "names no file in an existing folder"),
        (("synth", "--out", "full/file"), "is there already"),
        (("convert", "none", "-o", "new"), "no such file or folder"),
        (("convert", "full", "-o", "new"), "not recognised"),
        (("convert", "full", "-o", "new", "--to", "rar"), "invalid choice"),
    ],
)
def test_a_wrong_wish_is_one_line(here: Here, words: tuple[str, ...], said: str) -> None:
    Path("full").mkdir()
    Path("full/file").write_text("x")
    assert said in refused(here, *words)


def test_a_database_becomes_a_folder_and_a_database_again(here: Here) -> None:
    made(here)
    for source, target, form in (("made", "folder", "folder"), ("folder", "back", "lmdb"), ("made", "copy", "lmdb")):
        said = here("otsnet", "convert", source, "-o", target, "--to", form)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["words"] == 6
        lost = "the letter boxes of 6 words are left behind: a folder has no place for them; --to lmdb keeps them"
        assert (lost in said.stderr) == (form == "folder")
    before, after, copy = (detect(name).as_it_is() for name in ("made", "back", "copy"))
    for one, other in zip(before.records, after.records, strict=True):
        assert (one.label, before.store.read(one.file)) == (other.label, after.store.read(other.file))
    assert "already" not in refused(here, "convert", "made", "-o", "folder")
    assert Path("copy/data.mdb").read_bytes() == Path("made/data.mdb").read_bytes()
    assert all(record.boxes is not None for record in copy.records)


def picture() -> bytes:
    return cv2.imencode(".png", np.zeros((8, 16, 3), np.uint8))[1].tobytes()


def test_words_are_written_as_they_come_and_never_held(tmp_path: Path) -> None:
    """The picture of a word is in the file before the next word is asked for."""
    held: list[int] = []

    class Counted(bytes):
        def __del__(self) -> None:
            held.pop()

    def words():
        for number in range(50):
            held.append(number)
            yield Written(Counted(picture()), f"w{number}")
            assert len(held) <= 2

    assert write_words(tmp_path / "set", words()) == 50
    assert [record.label for record in detect(tmp_path / "set").as_it_is().records] == [f"w{number}" for number in range(50)]
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["data.mdb"]


def test_what_breaks_off_leaves_no_database(tmp_path: Path) -> None:
    def words():
        yield Written(picture(), "a")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_words(tmp_path / "set", words())
    assert list((tmp_path / "set").iterdir()) == []


def test_boxes_that_are_none_are_a_problem_with_a_place(tmp_path: Path) -> None:
    write_words(tmp_path / "set", [Written(picture(), "ab", np.array([[0, 0, 8, 8], [8, 0, np.nan, 8]]))])
    (problem,) = detect(tmp_path / "set").as_it_is().problems
    assert "letters-000000001" in problem
    with pytest.raises(DataError, match="5 bytes"):
        letter_boxes(b"12345")


def test_letters_of_iiit5k_come_along_into_a_database(tmp_path: Path) -> None:
    from tests.datamodules.otsnet import sets

    sets.iiit5k(tmp_path / "source")
    before = [record.boxes for record in detect(tmp_path / "source").as_it_is().records]
    convert(tmp_path / "source", tmp_path / "target", "lmdb")
    after = [record.boxes for record in detect(tmp_path / "target").as_it_is().records]
    assert any(boxes is not None for boxes in before)
    for one, other in zip(before, after, strict=True):
        assert (one is None) == (other is None)
        assert one is None or np.allclose(np.asarray(one, np.float32), np.asarray(other))


def test_the_sheet_is_a_picture_file(here: Here) -> None:
    made(here, "--sheet", "sheet.png")
    assert Image.open(io.BytesIO(Path("sheet.png").read_bytes())).format == "PNG"
