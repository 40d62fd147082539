"""What is drawn of words that were read: right figures of what was told, and None where there is nothing to draw."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from apps.base.draw import style
from apps.otsnet.draw_codes import codes_figure
from apps.otsnet.draw_layers import layers_figure
from apps.otsnet.draw_ledger import ledger_figure
from apps.otsnet.draw_letters import letters_figure, pairs_figure
from apps.otsnet.draw_slots import Look, Slot, caption, slots_figure, words_figure
from apps.otsnet.draw_trace import draw_trace, rejected
from apps.otsnet.draw_worst import worst_figure, worst_rows
from apps.otsnet.layers import looked
from apps.otsnet.looks import letters_of
from apps.otsnet.metrics import edit_distance
from apps.otsnet.metrics.aligned import NOTHING, aligned, letter_pairs
from apps.otsnet.options import Quantize
from apps.otsnet.program import ReadWords
from apps.otsnet.tested import CodeCounts, figures_of_test
from datamodules.otsnet.charset import charset
from tests.apps.otsnet.tiny import CHARSET, eyes, otsnet, pictures, reader, words
from tests.apps.otsnet.tiny_files import FACTS, weights_file, write_pictures
from tests.system.command import Here

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (32, 64, 3), dtype=np.uint8)


def decoded(png: bytes | None) -> np.ndarray:
    assert png is not None
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def look(text: str = "cab", probability: float = 0.95, **more: Any) -> Look:
    box = np.array([0.1, 0.2, 0.3, 0.9])
    slots = [Slot(character, probability, RANDOM.random((8, 8)), box if character else None) for character in [*text, ""]]
    return Look(PICTURE, slots, probability, **more)


def row(number: int, truth: str, read: str, confidence: float = 0.9, first: str | None = None) -> dict[str, Any]:
    return {"number": number, "truth": truth, "read": read, "confidence": confidence, "first": read if first is None else first}


# --- slots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a" * 25, "$x$_{"])
def test_words_of_any_length_and_any_sign_are_drawn(text: str) -> None:
    assert decoded(slots_figure(look(text))).size
    assert decoded(words_figure([look(text), look("ab", truth="ac")])).size


def test_an_unsure_character_has_another_colour_than_a_sure_one() -> None:
    sure, unsure = decoded(slots_figure(look(probability=0.99))), decoded(slots_figure(look(probability=0.2)))
    green, red = np.array([0x73, 0x9E, 0x00]), np.array([0x00, 0x5E, 0xD5])  # as OpenCV orders them
    for image, there, absent in ((sure, green, red), (unsure, red, green)):
        assert (np.abs(image.astype(int) - there).max(-1) < 8).any()
        assert not (np.abs(image.astype(int) - absent).max(-1) < 8).any()


def test_what_a_round_rejected_is_struck_out() -> None:
    assert rejected("cxb", "cab") == [1]
    assert rejected("cabs", "ca") == [2, 3]
    assert rejected("ca", "cab") == []
    with style() as Figure:
        axis = Figure(figsize=(6, 1)).subplots()
        draw_trace(axis, ["cxb$", "cab", "", "cab"], 6.0)
    struck = [sum(line.get_xdata()) / 2 for line in axis.lines]
    letters = {round(text.get_position()[0], 2): text.get_text() for text in axis.texts}
    assert [letters[round(x, 2)] for x in struck] == ["x", r"\$", "c", "a", "b"]


def test_only_a_word_that_refinement_changed_has_a_trace() -> None:
    plain, refined = (decoded(slots_figure(look("cab", rounds=rounds))) for rounds in (["cab", "cab"], ["cxb", "cab"]))
    assert refined.shape[0] > plain.shape[0] + 20
    assert decoded(slots_figure(look("a" * 25, rounds=["b" * 25] * 5 + ["a" * 25]))).size


def test_a_caption_tells_the_truth_and_what_refinement_did() -> None:
    assert caption(look("cab", truth="cab", rounds=["cab", "cab"])) == "cab  95.0%"
    assert caption(look("cab", truth="cob", rounds=["cxb", "cab"])) == "cab  95.0%, is cob\ncxb → cab"
    assert caption(look("")).startswith("(nothing)")


def test_letters_end_where_the_word_does() -> None:
    assert letters_of(np.array([3, 1, 2, 0, 8, 8]), CHARSET) == "cab"
    assert letters_of(np.array([1, 8, 1]), CHARSET) == "a"


# --- codes -----------------------------------------------------------------------------------------------------------


def test_codes_are_counted_by_the_truth_up_to_the_end() -> None:
    model, counts = otsnet(), CodeCounts()
    tokens = words("ab", "f")
    codes = torch.arange(2 * tokens.shape[1]).reshape(2, -1, 1) % 8
    counts.add(model, codes, tokens)
    counts.add(model, codes, tokens)
    joint = counts.compute()
    assert joint.shape == (1, 8, len(CHARSET) + 1)
    assert joint.sum() == 2 * 5  # three slots of "ab", two of "f"
    assert joint[0, 0, 1] == joint[0, 1, 2] == joint[0, 2, 0] == 2
    counts.reset()
    assert counts.compute().sum() == 0


def test_a_reader_without_codes_has_no_chart_of_them() -> None:
    counts = CodeCounts()
    for model in (reader("ctc"), otsnet(quantize=Quantize(assign="none"))):
        answer = model.read(pictures())
        counts.add(model, answer.codes, words("a", "b", "c"))
    assert codes_figure(counts.compute(), CHARSET) is None


def test_dead_codes_are_marked() -> None:
    joint = np.zeros((1, 8, 7), np.int64)
    joint[0, :4] = RANDOM.integers(50, 90, (4, 7))
    orange = np.array([0x00, 0x5E, 0xD5])
    marked = [(np.abs(decoded(codes_figure(j, CHARSET)).astype(int) - orange).max(-1) < 8).any() for j in (joint, joint[:, :4])]
    assert marked == [True, False]
    assert decoded(codes_figure(np.concatenate([joint, joint]), CHARSET)).shape[0] > decoded(codes_figure(joint, CHARSET)).shape[0]


# --- letters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("read", "true"), [("kitten", "sitting"), ("", ""), ("", "ab"), ("ab", ""), ("CEL", "CELL"), ("abc", "cab")])
def test_an_alignment_has_as_many_unlike_pairs_as_the_edit_distance(read: str, true: str) -> None:
    pairs = aligned(read, true)
    assert sum(one != other for one, other in pairs) == edit_distance(read, true)
    assert "".join(one for one, _ in pairs) == true
    assert "".join(other for _, other in pairs) == read
    assert (NOTHING, NOTHING) not in pairs


def test_mistaken_letters_are_counted_and_drawn() -> None:
    pairs = letter_pairs([("OLD", "OLD"), ("0LD", "OLD"), ("OLDX", "OLD"), ("LD", "OLD")])
    assert pairs["O", "0"] == pairs[NOTHING, "X"] == pairs["O", NOTHING] == 1
    assert pairs["L", "L"] == 4
    assert decoded(letters_figure(pairs)).size
    assert decoded(pairs_figure(pairs)).size
    assert decoded(pairs_figure(letter_pairs([("A", "A")]))).size
    assert letters_figure(Counter()) is None


def named(monkeypatch: pytest.MonkeyPatch, where: str, draw: Callable[[], bytes | None]) -> tuple[list[str], list[str]]:
    """The names along the first picture's axis, and the numbers in it."""
    figures: list[Any] = []
    monkeypatch.setattr(where, lambda figure: figures.append(figure) or b"")
    draw()
    axis = next(axis for axis in figures[0].axes if axis.images)
    return [text.get_text() for text in axis.get_xticklabels()], [text.get_text() for text in axis.texts]


def test_a_matrix_of_many_characters_names_and_counts_those_that_are_mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(chr(33 + i) for i in range(90))
    pairs = letter_pairs([(many, many), ("$", "S"), ("S", "$"), ("~", "y"), ("~", "y")])
    assert decoded(letters_figure(pairs)).size
    names, counts = named(monkeypatch, "apps.base.draw.png", lambda: letters_figure(pairs))
    assert {"S", "y", "none"} < set(names)
    assert "2" in counts


def test_every_character_of_94_has_its_name_beside_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    characters = charset("94").characters
    joint = np.ones((1, 32, 95))
    names, _ = named(monkeypatch, "apps.otsnet.draw_codes.png", lambda: codes_figure(joint, characters))
    assert len(names) == 95
    assert {"end", "Q", "7"} < set(names)


# --- worst words, ledger, layers -------------------------------------------------------------------------------------


def test_the_surest_mistake_comes_first_and_right_words_never() -> None:
    rows = [row(0, "a", "b", 0.5), row(1, "a", "a", 0.99), row(2, "c", "d", 0.9), row(3, "e", "f", 0.1)]
    assert [found["number"] for found in worst_rows(rows)] == [2, 0, 3]
    asked: list[int] = []
    assert decoded(worst_figure(rows, lambda number: asked.append(number) or PICTURE)).size
    assert asked == [2, 0, 3]
    assert worst_figure([rows[1]], lambda number: PICTURE) is None


def test_the_ledger_of_refinement_is_drawn_whatever_happened() -> None:
    assert ledger_figure([]) is None
    for rows in (
        [row(0, "a", "a")],
        [row(0, "a", "a", first="b"), row(1, "a", "b", first="a"), row(2, "a", "c", first="b"), row(3, "a", "b")],
        [row(n, "a" * 25, "a" * 25, first="b" * 25) for n in range(40)],
    ):
        assert decoded(ledger_figure(rows)).size


@pytest.mark.parametrize("attention", ["softmax", "differential"])
def test_what_layers_looked_at_is_a_share_of_one_for_each_map(attention: str) -> None:
    model = otsnet(observe=eyes(attention=attention, depth=2))
    layers = looked(model.observer, pictures(1))
    assert len(layers) == 2
    for layer in layers:
        assert list(layer.maps) == (["M1", "M2", "M1 - λ M2"] if attention == "differential" else ["attention"])
        for title, values in layer.maps.items():
            assert values.shape == model.observer.cells
            if "λ" not in title:
                assert values.sum() == pytest.approx(1, abs=1e-4)
    assert decoded(layers_figure(PICTURE, layers)).size


# --- all of a test ---------------------------------------------------------------------------------------------------


class Album:
    def picture(self, number: int) -> np.ndarray:
        return np.random.default_rng(number).integers(0, 256, (32, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_every_reader_has_its_figures_after_a_test(name: str) -> None:
    model = reader(name, **({"quantize": Quantize(codes=8, code_width=8)} if name == "otsnet" else {}))
    program, counts = ReadWords(model, FACTS, []), CodeCounts()
    counts.add(model, model.read(pictures(3)).codes, words("ab", "cd", "e"))
    rows = [row(0, "ab", "ab"), row(1, "abc", "abd", first="abc"), row(2, "f", "f")]
    drawn = figures_of_test(rows, counts.compute(), program, Album())
    expected = {"slots", "letters", "letter_pairs", "worst"}
    assert set(drawn) >= expected
    assert ("codes" in drawn) == (name == "otsnet")
    assert all(decoded(png).size for png in drawn.values())
    assert figures_of_test([], counts.compute(), program, Album()) == {}


def test_words_all_right_have_no_worst_sheet(tmp_path: Path) -> None:
    drawn = figures_of_test([row(0, "ab", "ab")], np.zeros((0, 0, 0), np.int64), ReadWords(reader("ctc"), FACTS, []), Album())
    assert "worst" not in drawn
    assert "codes" not in drawn


# --- explain ---------------------------------------------------------------------------------------------------------


def test_a_word_is_explained_by_weights_and_its_layers_are_drawn(here: Here, tmp_path: Path) -> None:
    model, (image, *_) = weights_file(tmp_path), write_pictures(tmp_path / "in")
    said = here("otsnet", "explain", image, "--model", model, "-o", "out.png", "--layers", "layers.png")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert "".join(row["character"] for row in told["characters"]) == told["text"] == told["rounds"][-1]
    assert len(told["rounds"]) == 2
    assert all(0 <= x0 < x1 <= 50 and 0 <= y0 < y1 <= 20 for x0, y0, x1, y1 in (row["box"] for row in told["characters"]))
    assert decoded(Path("out.png").read_bytes()).size
    assert decoded(Path("layers.png").read_bytes()).size


@pytest.mark.parametrize("name", ["ctc", "parseq"])
def test_other_readers_are_explained_too(here: Here, tmp_path: Path, name: str) -> None:
    model, (image, *_) = weights_file(tmp_path, name), write_pictures(tmp_path / "in")
    told = json.loads(here("otsnet", "explain", image, "--model", model, "-o", "out.png").stdout)
    read = json.loads(here("otsnet", "read", image, "--model", model, "--format", "jsonl").stdout)
    assert (told["text"], told["confidence"]) == (read["text"], pytest.approx(read["confidence"], abs=1e-4))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.png", "-o", "out.png"), "none.png"),
        (("in/word-0.png", "-o", "no/where.png"), "names no file in an existing folder"),
        (("in/word-0.png", "-o", "out.png", "--layers", "in"), "names no file in an existing folder"),
        (("in/empty.png", "-o", "out.png"), "empty file"),
        (("in/word-0.png",), "-o"),
    ],
)
def test_a_wrong_wish_to_explain_is_one_line(here: Here, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    model, _ = weights_file(tmp_path), write_pictures(tmp_path / "in")
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    done = here("otsnet", "explain", *words, "--model", model)
    assert done.returncode == 2
    assert said in done.line
