"""Letters of one case are asked for, and the picture shows those of the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.base.shell import Shell
from apps.otsnet.crops import Crop
from apps.otsnet.lexicon import read_lexicon
from apps.otsnet.one_case import counted, in_one_case
from apps.otsnet.pattern import compile_pattern
from apps.otsnet.reading import Asks, Reading, read_crops
from apps.otsnet.source import open_source
from datamodules.otsnet.charset import Charset, charset
from tests.apps.otsnet.tiny_files import weights_file

LETTERS = "4aAbBcC"
PICTURE = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)


def read(folder: Path, slots: list[dict[str, float]], asked: str) -> Reading:
    """What is made of a table with these probabilities of characters, one slot behind the other."""
    known = Charset(LETTERS)
    opened = open_source(Shell(quiet=True), str(weights_file(folder, charset=LETTERS)))
    (free,) = (opened.program.forward(torch.stack([opened.program.prepare(PICTURE)])),)
    table_SK = torch.full((6, known.classes), 1e-6)
    for slot in range(6):
        for character, p in (slots[slot] if slot < len(slots) else {"": 1.0}).items():
            table_SK[slot, LETTERS.index(character) + 1 if character else 0] = p
    characters_L = table_SK.argmax(1)
    answer = {**free, "table": table_SK[None], "characters": characters_L[None], "confidences": table_SK.amax(1)[None]}
    opened.program.forward = lambda x_BCHW: answer
    pattern = replace(compile_pattern(f"[{asked}]+", known, 5), counts_as_K=in_one_case(known, Charset(asked)))
    return next(read_crops(opened, [Crop("word", PICTURE)], Asks(pattern=pattern), 1))


def test_a_capital_counts_as_its_small_letter_where_small_letters_alone_are_asked_for(tmp_path: Path) -> None:
    found = read(tmp_path, [{"A": 0.9, "a": 0.05, "4": 0.05}, {"B": 0.9, "c": 0.1}], "4abc")
    assert (found.text, found.unconstrained) == ("ab", "AB")
    assert found.char_probs == pytest.approx([0.95, 0.9], abs=1e-4)
    assert found.confidence == pytest.approx(0.95 * 0.9, abs=1e-4)
    assert found.fits == pytest.approx(1, abs=1e-4)
    assert "misfit" not in found.warnings
    assert len(found.verified) == len(found.char_boxes) == 2  # the same letters in the same places
    assert read(tmp_path, [{"a": 0.9, "A": 0.1}], "4ABC").text == "A"


def test_both_cases_of_a_letter_are_counted_together_against_another_letter(tmp_path: Path) -> None:
    assert read(tmp_path, [{"A": 0.3, "a": 0.3, "4": 0.4}], "4abc").text == "a"


def test_case_counts_where_both_cases_or_none_are_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, [{"A": 0.9, "4": 0.1}], "4aBc").text == "4"
    assert read(tmp_path, [{"A": 0.9, "4": 0.1}], "4").text == "4"


def test_a_word_that_the_picture_does_not_say_is_warned_of(tmp_path: Path) -> None:
    assert read(tmp_path, [{"A": 0.999, "4": 0.001}], "4").warnings == ["misfit"]
    assert read(tmp_path, [{"A": 0.9, "4": 0.1}], "4").warnings == []


def test_a_table_keeps_its_sum() -> None:
    known = charset("94")
    folds = in_one_case(known, charset("36"))
    assert folds is not None
    table_SK = np.random.default_rng(0).random((3, known.classes))
    made_SK = counted(table_SK, folds)
    np.testing.assert_allclose(made_SK.sum(1), table_SK.sum(1))
    capital, small = known.characters.index("Q") + 1, known.characters.index("q") + 1
    np.testing.assert_allclose(made_SK[:, small], table_SK[:, [small, capital]].sum(1))
    assert not made_SK[:, capital].any()
    np.testing.assert_array_equal(made_SK[:, 0], table_SK[:, 0])


def test_words_of_a_lexicon_are_let_through_in_either_case(tmp_path: Path) -> None:
    known, asked = Charset(LETTERS), Charset("4abc")
    pattern = replace(compile_pattern("[4abc]+", known, 5), counts_as_K=in_one_case(known, asked))
    (tmp_path / "words.txt").write_text("AB\nab4\nBa\n")
    assert read_lexicon(tmp_path / "words.txt", known, 5, pattern)[0].words == ["AB", "ab4", "Ba"]
