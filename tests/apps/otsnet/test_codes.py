"""`otsnet codes`: the glyphs nearest to each code, from words of every source."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from apps.base.shell import Shell
from apps.otsnet.coded import Coded
from apps.otsnet.draw_glyphs import code_figure, sheet_figure, sheet_rows
from apps.otsnet.glyphs import LARGEST, MOST, Glyph, Glyphs, cut, within
from apps.otsnet.known_words import MadeOnes, NamedOnes
from apps.otsnet.options import Quantize
from apps.otsnet.source import open_source
from datamodules.otsnet.lmdb_words import Written, write_words
from datamodules.otsnet.lmdb_write import write_lmdb
from tests.apps.otsnet.tiny import CHARSET, SLOTS, pictures
from tests.apps.otsnet.tiny_files import weights_file, write_pictures
from tests.system.command import Here, Said

CODES, CLASSES = 8, len(CHARSET) + 1
ABOUT: dict[str, Any] = {"charset": CHARSET, "max_length": SLOTS - 1}
RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (20, 50, 3), dtype=np.uint8)


def model_file(folder: Path, **options: Any) -> Path:
    return weights_file(folder, quantize=Quantize(**{"codes": CODES, "code_width": 8, **options}))


def glyph(word: str = "ab", place: int = 0, truth: str | None = None) -> Glyph:
    return Glyph(PICTURE[:9, :7], "a.png", (0, 0, 7, 9), place, word, truth)


def gathered(words: int = 60, groups: int = 1) -> tuple[Glyphs, list[tuple[int, int, int, float]]]:
    """What is kept of random words, and every slot (number, token, code of the first group, near)."""
    found, slots = Glyphs(groups, CODES, CLASSES), []
    for _ in range(words):
        length = int(RANDOM.integers(0, SLOTS))
        tokens_V = np.array([*RANDOM.integers(1, CLASSES, length), 0])
        codes_VG = RANDOM.integers(0, CODES - 1, (length + 1, groups))  # nothing chooses the last one
        near_VG = RANDOM.random((length + 1, groups)).round(1)  # many are equally near
        first = len(slots)
        slots += [(first + v, int(tokens_V[v]), int(codes_VG[v, 0]), float(near_VG[v, 0])) for v in range(length + 1)]
        found.add(tokens_V, codes_VG, near_VG, lambda place, first=first: glyph()._replace(name=str(first + place)))
    return found, slots


def lines(said: Said) -> list[dict[str, Any]]:
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def size_of(png: bytes) -> tuple[int, int]:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.shape[0], picture.shape[1]


# --- what is gathered ------------------------------------------------------------------------------------------------


def test_kept_are_exactly_the_nearest_characters_of_each_code() -> None:
    found, slots = gathered(150)
    for use in found.uses(CHARSET):
        mine = sorted((-near, number) for number, token, code, near in slots if code == use.code and token)
        assert [(-near, int(kept.name)) for near, kept in use.nearest] == mine[:MOST]
    assert max(len(use.nearest) for use in found.uses(CHARSET)) == MOST


def test_shares_of_codes_and_of_their_characters_are_of_one() -> None:
    found, slots = gathered(groups=2)
    uses = found.uses(CHARSET)
    assert [use.slots for use in uses] == sorted((use.slots for use in uses), reverse=True)
    for group in range(2):
        assert sum(use.share for use in uses if use.group == group) == pytest.approx(1)
    for use in uses:
        if use.slots:
            assert sum(use.characters.values()) == pytest.approx(1)
            assert list(use.characters.values()) == sorted(use.characters.values(), reverse=True)
    for use in (use for use in uses if use.group == 0 and use.slots):
        of_it = [near for _, _, code, near in slots if code == use.code]
        assert (use.slots, use.near) == (len(of_it), pytest.approx(np.mean(of_it)))


def test_a_glyph_is_known_to_be_another_only_where_the_truth_says_so() -> None:
    assert [glyph("abc", place, "abd").mistaken for place in range(3)] == [False, False, True]
    assert [glyph("abbc", place, "abc").mistaken for place in range(4)].count(True) == 1  # one letter too many
    assert not glyph("abc", 0).mistaken


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.31, 0.4, 0.33, 0.41), (0.999, 0.999, 1, 1), (-0.2, 0.5, 1.7, 0.5), (1, 1, 1, 1)])
def test_crops_come_from_inside_their_picture(box: tuple[float, ...]) -> None:
    x0, y0, x1, y1 = within(np.array(box), PICTURE)
    assert 0 <= x0 < x1 <= 50
    assert 0 <= y0 < y1 <= 20
    part = cut(PICTURE, (x0, y0, x1, y1))
    assert np.array_equal(part, PICTURE[y0:y1, x0:x1])
    assert not np.shares_memory(part, PICTURE)


def test_a_large_crop_is_kept_small_with_its_proportions() -> None:
    assert cut(np.zeros((400, 1000, 3), np.uint8), (0, 0, 800, 400)).shape == (LARGEST // 2, LARGEST, 3)


# --- the vectors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assign", ["ema", "nearest", "gumbel"])
def test_the_chosen_code_is_the_nearest_one(tmp_path: Path, assign: Any) -> None:
    coded = Coded(open_source(Shell(quiet=True), str(model_file(tmp_path, assign=assign, groups=2))))
    images = pictures(4)
    answer = coded.forward(images)
    with torch.inference_mode():
        said = coded.program.program.reader().think(images)[1]
        cosines_BLGM = torch.einsum("blge,gme->blgm", said.z_BLGE, coded.book.codes()) if assign != "gumbel" else said.scores_BLGM
    assert assign == "gumbel" or answer["near"].abs().max() <= 1 + 1e-5
    assert torch.equal(answer["codes"], said.codes_BLG)
    assert torch.allclose(answer["near"], cosines_BLGM.amax(-1), atol=1e-5)
    assert coded.measure == ("score" if assign == "gumbel" else "cosine")


# --- where words come from -------------------------------------------------------------------------------------------


def test_labels_and_true_boxes_of_a_set_come_along(tmp_path: Path) -> None:
    encoded = cv2.imencode(".png", PICTURE)[1].tobytes()
    boxes = np.array([[0, 0, 10, 20], [10, 5, 50, 15]], np.float32)
    write_words(tmp_path / "set", [Written(encoded, "ab", boxes), Written(encoded, "aX", boxes), Written(encoded, "XY", boxes)])
    one, stripped, unknown = NamedOnes([str(tmp_path / "set")], ABOUT)
    assert one.boxes_T4 is not None
    assert (one.truth, one.boxes_T4.tolist()) == ("ab", (boxes / [50, 20, 50, 20]).astype(np.float32).tolist())
    assert (stripped.truth, stripped.boxes_T4) == ("a", None)  # its boxes are of other characters
    assert (unknown.truth, unknown.boxes_T4) == (None, None)


def test_words_are_found_as_read_finds_them_where_there_are_no_labels(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("x")
    write_words(tmp_path / "set", [Written(paths[0].read_bytes(), "ab")])
    write_lmdb(tmp_path / "bare", [(b"image-000000001", paths[0].read_bytes()), (b"num-samples", b"1")])
    words = NamedOnes([str(tmp_path / name) for name in ("in", "set", "bare", "none*.png")], ABOUT)
    found = list(words)
    assert [one.truth for one in found] == [None, None, None, "ab", None]
    assert found[4].error is None
    assert np.array_equal(found[0].picture, found[3].picture)  # pyright: ignore[reportArgumentType]
    assert (words.skipped, words.unmatched, words.total) == (1, [str(tmp_path / "none*.png")], None)


def test_made_words_are_those_that_training_shows() -> None:
    from datamodules.otsnet.embedded_words import EmbeddedWords

    data = EmbeddedWords(train=3, val=1, test=1)
    about = {"charset": data.charset.characters, "slots": data.slots, "preprocessing": data.preprocess.settings()}
    shown = data.drawn("train")
    for number, word in enumerate(MadeOnes(3, 0, about)):
        assert np.array_equal(word.picture, shown["images"][number])  # pyright: ignore[reportArgumentType]
        assert word.truth == shown["labels"][number]


# --- the verb --------------------------------------------------------------------------------------------------------


def test_all_codes_are_told_and_drawn_and_the_same_again(here: Here, tmp_path: Path) -> None:
    model, _ = model_file(tmp_path), write_pictures(tmp_path / "in", 6)
    *rows, last = lines(here("otsnet", "codes", "in", "--model", model, "-o", "out.png"))
    assert sorted(row["code"] for row in rows) == list(range(CODES))
    read = lines(here("otsnet", "read", "in", "--model", model, "--format", "jsonl"))
    assert (last["words"], last["slots"]) == (6, sum(len(row["text"]) + 1 for row in read))
    for row in rows:
        assert row["slots"] - round(row["characters"].get("", 0) * row["slots"]) == sum(one["codes"].count(row["code"]) for one in read)
        assert (row["mean_cosine"] is None) == (row["slots"] == 0)
    assert (last["unused"], last["drawn"]) == (sum(not row["slots"] for row in rows), sum(row["slots"] > 0 for row in rows))
    assert lines(here("otsnet", "codes", "in", "--model", model, "-o", "again.png"))[:-1] == rows
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_one_code_tells_its_glyphs_nearest_first_and_where_they_stand(here: Here, tmp_path: Path) -> None:
    model, _ = model_file(tmp_path), write_pictures(tmp_path / "in", 6)
    most, *_ = lines(here("otsnet", "codes", "in", "--model", model, "-o", "out.png"))
    row, last = lines(here("otsnet", "codes", "in", "--model", model, "-o", "one.png", "--code", most["code"]))
    near = [one["cosine"] for one in row["nearest"]]
    assert near == sorted(near, reverse=True)
    assert (last["drawn"], {name: row[name] for name in most}) == (1, most)
    for one in row["nearest"]:
        x0, y0, x1, y1 = one["box"]
        assert one["character"] in one["word"]
        assert 0 <= x0 < x1 <= 50
        assert 0 <= y0 < y1 <= 20


def test_a_word_read_right_gives_the_true_boxes_of_its_letters(here: Here, tmp_path: Path) -> None:
    model, paths = model_file(tmp_path), write_pictures(tmp_path / "in", 4)
    texts = [row["text"] for row in lines(here("otsnet", "read", "in", "--model", model, "--format", "jsonl"))]
    words = [(path, text) for path, text in zip(paths, texts, strict=True) if text]
    assert words
    boxes = [np.array([[3 * i, 1, 3 * i + 2, 4] for i in range(len(text))], np.float32) for _, text in words]
    write_words(tmp_path / "set", (Written(path.read_bytes(), text, box) for (path, text), box in zip(words, boxes, strict=True)))
    *rows, _ = lines(here("otsnet", "codes", "set", "--model", model, "-o", "out.png"))
    code = max(rows, key=lambda row: row["slots"] * (1 - row["characters"].get("", 0)))["code"]
    row, _ = lines(here("otsnet", "codes", "set", "--model", model, "-o", "out.png", "--code", code))
    assert row["nearest"]
    assert all(x1 - x0 == 2 and (y0, y1) == (1, 4) and x0 % 3 == 0 for x0, y0, x1, y1 in (one["box"] for one in row["nearest"]))


def test_made_words_of_one_seed_are_one_picture(here: Here, tmp_path: Path) -> None:
    model = model_file(tmp_path)
    said = [here("otsnet", "codes", "--model", model, "--words", "3", "--seed", seed, "-o", f"{n}.png") for n, seed in enumerate((1, 1, 2))]
    one, two, other = (lines(one)[:-1] for one in said)
    assert one == two
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    assert one != other


def test_a_code_that_nothing_chose_is_told_and_drawn_as_such(here: Here, tmp_path: Path) -> None:
    model, _ = model_file(tmp_path), write_pictures(tmp_path / "in", 1)
    rows = lines(here("otsnet", "codes", "in", "--model", model, "-o", "out.png"))[:-1]
    unused = rows[-1]
    assert (unused["slots"], unused["characters"], unused["mean_cosine"]) == (0, {}, None)
    row, last = lines(here("otsnet", "codes", "in", "--model", model, "-o", "one.png", "--code", unused["code"]))
    assert (row["nearest"], last["unused"]) == ([], 1)
    assert size_of((tmp_path / "one.png").read_bytes())[0] > 0


def test_a_broken_picture_does_not_take_the_others_with_it(here: Here, tmp_path: Path) -> None:
    model, _ = model_file(tmp_path), write_pictures(tmp_path / "in", 3)
    (tmp_path / "in" / "word-1.png").write_bytes(b"")
    said = here("otsnet", "codes", "in", "--model", model, "-o", "out.png")
    assert said.returncode == 1
    assert json.loads(said.stdout.splitlines()[-1])["words"] == 2
    assert "1 of 3 words could not be read; the first: in/word-1.png: empty file" in said.line


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("in", "-o", "no/where.png"), 2, "names no file in an existing folder"),
        (("in", "-o", "out.png", "--code", "8"), 2, "the codes are 0 to 7"),
        (("in", "-o", "out.png", "--group", "2"), 2, "the reader has 1 group of codes"),
        (("in", "-o", "out.png", "--words", "5"), 2, "you named your own"),
        (("in", "-o", "out.png", "--seed", "0"), 2, "you named your own"),
        (("nothing*.png", "-o", "out.png"), 2, "no words there: nothing*.png"),
        (("-o", "out.png", "--seed", "-1"), 2, "is no seed"),
        (("in/empty.png", "-o", "out.png"), 1, "none of 1 words could be read; the first: in/empty.png: empty file"),
    ],
)
def test_a_mistake_is_one_line_and_draws_nothing(here: Here, tmp_path: Path, words: tuple[str, ...], code: int, why: str) -> None:
    model, _ = model_file(tmp_path), write_pictures(tmp_path / "in", 1)
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    said = here("otsnet", "codes", *words, "--model", model)
    assert (said.returncode, why in said.line, said.stdout) == (code, True, "")
    assert not (tmp_path / "out.png").exists()


def test_what_has_no_codes_or_does_not_tell_what_chose_them_is_refused(here: Here, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 1)
    asked = ("otsnet", "codes", "in", "-o", "out.png", "--model")
    (tmp_path / "reader.ts").write_bytes(b"not even looked at")
    for model, why in (
        (weights_file(tmp_path, quantize=Quantize(assign="none")), "has no codes: it was trained with"),
        (weights_file(tmp_path, "ctc"), "of the kind ctc has no codes"),
        (tmp_path / "reader.ts", "name a checkpoint or a .safetensors file"),
    ):
        said = here(*asked, model)
        assert (said.returncode, why in said.line) == (2, True)


def test_of_several_groups_one_can_be_asked_for(here: Here, tmp_path: Path) -> None:
    model, _ = model_file(tmp_path, groups=2), write_pictures(tmp_path / "in", 3)
    rows = lines(here("otsnet", "codes", "in", "--model", model, "-o", "out.png"))[:-1]
    assert len(rows) == 2 * CODES
    second = lines(here("otsnet", "codes", "in", "--model", model, "-o", "out.png", "--group", "2"))[:-1]
    assert second == [row for row in rows if row["group"] == 2]
    assert "say which with --group 1 to 2" in here("otsnet", "codes", "in", "--model", model, "-o", "out.png", "--code", "1").line


# --- the pictures ----------------------------------------------------------------------------------------------------


def test_a_sheet_has_a_row_for_each_code_that_was_chosen_up_to_the_most() -> None:
    found, _ = gathered()
    uses = found.uses(CHARSET)
    assert [use.slots > 0 for use in uses] == [True] * (CODES - 1) + [False]
    assert sheet_rows(uses) == uses[:-1]
    assert sheet_rows(uses, most=3) == uses[:3]
    few, all_of_them = (size_of(sheet_figure(part, found, "cosine")) for part in (uses[:2], uses))
    assert few[0] < all_of_them[0]
    assert size_of(code_figure(uses[0], found, "cosine"))[0] > size_of(code_figure(uses[-1], found, "cosine"))[0]


def test_every_character_can_be_drawn() -> None:
    found = Glyphs(1, 2, 4)
    found.add(np.array([1, 2, 3, 0]), np.zeros((4, 1), np.int64), np.ones((4, 1)), lambda place: glyph("$_.", place, "^"))
    uses = found.uses("$_.")
    assert size_of(sheet_figure(uses, found, "score"))[0] > 0
    assert size_of(code_figure(uses[0], found, "score"))[0] > 0
