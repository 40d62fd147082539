import pytest
import torch

from datamodules.errors import DataError
from datamodules.otsnet.charset import NAMED, Charset, CharsetError, LabelTooLong, charset


def test_tokens_are_end_characters_begin_pad_mask():
    letters = Charset("abc")
    assert (letters.end, letters.begin, letters.pad, letters.mask) == (0, 4, 5, 6)
    assert (letters.classes, letters.vocabulary, len(letters)) == (4, 7, 3)
    assert letters.encode("cab", 5).tolist() == [3, 1, 2, 0, 5]
    assert letters.encode("", 3).tolist() == [0, 5, 5]
    assert letters.encode("", 3).dtype == torch.int64


@pytest.mark.parametrize("name", NAMED)
def test_every_word_of_up_to_25_comes_back(name):
    characters = charset(name)
    assert len(characters) == int(name)
    for length in range(26):
        word = (characters.characters * 2)[length : 2 * length]
        tokens = characters.encode(word, 26)
        assert characters.decode(tokens) == characters.decode(tokens.tolist()) == word


def test_26_characters_have_no_place_in_26_slots():
    with pytest.raises(LabelTooLong, match="26 characters are more than 25"):
        charset("36").encode("a" * 26, 26)


def test_what_stands_after_the_first_end_is_not_read():
    letters = Charset("abc")
    assert letters.decode([1, 0, 2, 0, 3]) == "a"
    assert letters.decode([letters.begin, 1, letters.mask, 2, letters.pad]) == "ab"


def test_a_charset_has_every_character_once_and_at_least_one():
    with pytest.raises(CharsetError, match="'a' is twice"):
        Charset("abca")
    with pytest.raises(CharsetError, match="at least one"):
        Charset("")
    with pytest.raises(CharsetError, match="'d' is not among the 3"):
        Charset("abc").encode("ad", 4)
    assert issubclass(CharsetError, DataError)


def test_classes_of_another_charset_are_found_by_character():
    assert Charset("abc").adapt(Charset("cbx")) == [0, None, 2, 1]


def test_case_is_one_only_where_letters_of_one_case_are_there():
    assert [charset(name).one_case for name in NAMED] == ["lower", None, None, None]
    assert (Charset("ACE").one_case, Charset("0123").one_case, Charset("aB").one_case) == ("upper", None, None)


def test_missing_characters_are_those_of_the_labels():
    assert Charset("abc").missing(["cab", "ax", "y"]) == {"x", "y"}
