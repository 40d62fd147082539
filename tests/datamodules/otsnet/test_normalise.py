import pytest

from datamodules.errors import DataError
from datamodules.otsnet.charset import Charset, CharsetError, charset
from datamodules.otsnet.normalise import for_comparison, for_training


@pytest.mark.parametrize(
    ("label", "name", "text", "stripped"),
    [
        ("Hello World", "36", "helloworld", ""),
        ("Hello World", "62", "HelloWorld", ""),
        ("Hello  World ", "95", "Hello World", ""),
        ("café", "94", "cafe", ""),
        ("It´s", "36", "its", ""),
        ("It's", "36", "its", "'"),
        ("It's", "94", "It's", ""),
        ("ﬁn", "36", "fin", ""),
        ("½", "36", "12", "⁄"),
        ("naïve", "94", "naive", ""),
        ("Straße", "94", "Strae", "ß"),
        ("CENTER日本", "94", "CENTER", "日本"),
        ("Øl & Łódź!", "36", "lodz", "ØŁ&!"),
    ],
)
def test_labels_are_made_fit_in_the_stated_order(label, name, text, stripped):
    made = for_training(label, charset(name))
    assert (made.text, made.stripped, made.fault) == (text, stripped, "")


def test_length_counts_before_unsupported_characters_are_dropped():
    assert for_training("a" * 20 + "!" * 6, charset("36")).fault == "too long"
    assert for_training("a" * 19 + "!" * 6, charset("36")).text == "a" * 19
    assert for_training("a " * 25, charset("36")).text == "a" * 25
    assert for_training("a" * 5, charset("36"), max_length=4).fault == "too long"


def test_what_is_empty_after_dropping_is_said_to_be():
    assert for_training("!?", charset("36")).fault == "empty"
    assert for_training("日本", charset("94")).fault == "empty"
    assert for_training("", charset("94")).fault == "empty"


def test_a_charset_beyond_ascii_keeps_its_letters():
    german = Charset("abcdefghijklmnopqrstuvwxyzäöüß")
    assert for_training("Größe", german).text == "größe"


EURO = Charset(charset("94").characters + "€")


@pytest.mark.parametrize(
    ("label", "text"), [("café", "cafe"), ("fáilte", "failte"), ("ﬁsh", "fish"), ("５０", "50"), ("5€", "5€"), ("½€", "12€"), ("日€", "€")]
)
def test_one_character_beyond_ascii_leaves_all_others_as_they_were(label, text):
    assert for_training(label, EURO).text == text
    assert for_training(label.replace("€", ""), EURO) == for_training(label.replace("€", ""), charset("94"))


@pytest.mark.parametrize(
    ("label", "text"), [("GRÖẞE", "größe"), ("Gro\u0308ße", "größe"), ("O\u0308l", "öl"), ("Gröſe", "gröse"), ("ÉTÉ", "ete")]
)
def test_what_a_charset_has_is_kept_in_whatever_case_and_form_it_is_written(label, text):
    assert for_training(label, Charset("abcdefghijklmnopqrstuvwxyzäöüß")).text == text


def test_a_letter_beyond_latin_is_not_taken_for_a_part_of_it():
    made = for_training("が", Charset("かa"))
    assert (made.fault, made.stripped) == ("empty", "が")
    assert for_training("か\u3099", Charset("がか")).text == "が"


def test_upper_only_charsets_fold_up():
    assert for_training("Ache", Charset("ACEH")).text == "ACHE"


def test_strict_names_file_and_character():
    with pytest.raises(CharsetError, match=r"gt\.txt:3: '!' in 'oh!'"):
        for_training("oh!", charset("36"), strict=True, where="gt.txt:3")


@pytest.mark.parametrize(
    ("truth", "answer", "parseq", "openocr"),
    [
        ("It´s", "its", True, True),
        ("café", "cafe", True, False),
        ("café", "caf", False, True),
        ("Open 24/7!", "open247", True, True),
        ("Cat", "cot", False, False),
    ],
)
def test_protocols_compare_as_their_owners_do(truth, answer, parseq, openocr):
    for protocol, same in (("parseq", parseq), ("openocr", openocr)):
        assert (for_comparison(truth, charset("36"), protocol) == for_comparison(answer, charset("36"), protocol)) is same


def test_case_and_punctuation_count_in_the_wider_charsets():
    assert for_comparison("It's", charset("62")) == "Its"
    assert for_comparison("It's", charset("94")) == "It's"


def test_strict_refuses_what_has_no_ascii_form_and_not_what_has_one():
    assert for_training("café", charset("94"), strict=True).text == "cafe"
    with pytest.raises(CharsetError, match="'ß' in 'Straße' is not in the charset"):
        for_training("Straße", charset("94"), strict=True)


def test_evaluation_drops_what_the_protocol_drops():
    assert for_comparison("Straße", charset("94")) == "Strae"
    assert for_comparison("CENTER日本", charset("36")) == "center"


def test_unknown_protocol_is_named():
    with pytest.raises(DataError, match="'mjsynth' is not known; there are parseq, openocr"):
        for_comparison("a", charset("36"), "mjsynth")
