from pathlib import Path

import numpy as np
import pytest

from apps.base.errors import UserError
from apps.otsnet.lexicon import read_lexicon
from apps.otsnet.pattern import compile_pattern
from datamodules.otsnet.charset import Charset

LETTERS = Charset("abcABC")


def table(word: str, doubt: dict[int, dict[str, float]] | None = None) -> np.ndarray:
    """Slots that are sure of the word, but for what is given."""
    made = np.full((6, 7), 1e-4)
    for slot in range(6):
        given = (doubt or {}).get(slot, {word[slot]: 0.99} if slot < len(word) else {"": 0.99})
        for character, p in given.items():
            made[slot, LETTERS.characters.index(character) + 1 if character else 0] = p
    return made


def lexicon(folder: Path, text: str, pattern: str | None = None):
    (folder / "words.txt").write_text(text, encoding="utf-8")
    return read_lexicon(folder / "words.txt", LETTERS, 5, compile_pattern(pattern, LETTERS, 5) if pattern else None)


def test_the_nearest_word_is_the_one_that_the_slots_give_most_to(tmp_path: Path) -> None:
    words, said = lexicon(tmp_path, "aBc\nabb\nacb\n")
    assert not said
    unsure = table("abc", {2: {"c": 0.6, "b": 0.39}})
    found = words.nearest(unsure, "abc", by_columns=False)
    assert (found.word, found.distance) == ("abb", 1)
    assert 0.9 < found.confidence < 1


def test_a_lexicon_of_one_case_says_nothing_of_case(tmp_path: Path) -> None:
    upper, _ = lexicon(tmp_path, "ABC\nCAB\n")
    found = upper.nearest(table("abc"), "abc", by_columns=False)
    assert (found.word, found.distance) == ("ABC", 0)
    both, _ = lexicon(tmp_path, "ABC\nabb\n")
    assert both.nearest(table("abc"), "abc", by_columns=False).word == "abb"


def test_words_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    words, said = lexicon(tmp_path, "\ufeffabc\n\nabc\nxyz\naaaaaa\nabc日\n")
    assert words.words == ["abc"]
    assert said.startswith("3 of 4 words")


def test_a_pattern_chooses_among_them(tmp_path: Path) -> None:
    assert lexicon(tmp_path, "abc\ncab\nc\n", "c.*")[0].words == ["cab", "c"]


@pytest.mark.parametrize(("text", "why"), [("", "it is empty"), ("xyz\n", "none is left")])
def test_a_lexicon_without_words_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        lexicon(tmp_path, text)


def test_a_pattern_that_lets_no_word_through_is_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of its 2 words that can be read matches --pattern or --charset; "):
        lexicon(tmp_path, "abc\ncab\n", "b.*")
    with pytest.raises(UserError, match=r"none of its 1 words .*; the other 1 are too long"):
        lexicon(tmp_path, "abc\nxyz\n", "b.*")


def test_a_lexicon_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_lexicon(tmp_path / "none", LETTERS, 5)
    (tmp_path / "words").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text in UTF-8"):
        read_lexicon(tmp_path / "words", LETTERS, 5)
