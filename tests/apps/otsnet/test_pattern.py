import re
from itertools import product

import pytest

from apps.base.errors import UserError
from apps.otsnet.pattern import compile_pattern, of_words
from datamodules.otsnet.charset import Charset, charset

LETTERS = Charset("abc1")
WORDS = ["".join(word) for length in range(5) for word in product(LETTERS.characters, repeat=length)]


def tokens(word: str) -> list[int]:
    return [LETTERS.characters.index(character) + 1 for character in word]


@pytest.mark.parametrize(
    "pattern",
    ["(a|)", "[ab]{1,2}", "a*", "(ab|c)+", "[^a]b?", r"\d{2}", r"a|bc|1\d", ".{3}", "(a(b|c)?){1,3}", "(?:a|b){2,}c", r"[\da]+", "[]a]?"],
)
def test_it_lets_through_what_a_whole_match_does(pattern: str) -> None:
    automaton = compile_pattern(pattern, LETTERS, 4)
    assert [automaton.matches(tokens(word)) for word in WORDS] == [bool(re.fullmatch(pattern, word)) for word in WORDS]


def test_a_range_is_of_what_the_charset_has_of_it() -> None:
    automaton = compile_pattern(r"[A-Z]{2}[-. ]\d+", charset("94"), 25)
    number = {character: token for token, character in enumerate(charset("94").characters, 1)}
    assert [automaton.matches([number[one] for one in word]) for word in ("AB-1", "ab-1", "AB.12345", "AB1")] == [True, False, True, False]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[ab", "ends too early at character 4"),
        ("(ab", r"a \( without its \)"),
        ("ab)", r"a \) without its \("),
        ("*a", r"\* repeats nothing"),
        ("^a$", "not needed"),
        ("a{2", "begins a count"),
        ("a{3,1}", "counts backwards"),
        (r"\s", r"\\s is not known"),
        ("(?=a)", "a group of this kind"),
        ("[c-a]", "goes backwards"),
        ("x", "'x' is not in the reader's charset"),
        ("a{5}", "no word of up to 4 characters"),
        ("", "the empty word alone"),
        ("a{0}|()", "the empty word alone"),
        ("(a{60}){60}b{2000}", "unfolds to more than"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused_with_the_place(pattern: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        compile_pattern(pattern, LETTERS, 4)


def test_words_are_exactly_those_words() -> None:
    automaton = of_words([tokens("ab"), tokens("a"), tokens("c1c")], 4)
    assert [word for word in WORDS if automaton.matches(tokens(word))] == ["a", "ab", "c1c"]
