"""Exact choices, held against going through all words and all ways to write them."""

import math
import re
from itertools import groupby, product
from typing import Any

import numpy as np
import pytest

from apps.otsnet.constrain import best_of_columns, best_of_slots
from apps.otsnet.pattern import compile_pattern
from apps.otsnet.spelled import SKIP, spelled_in_columns, spelled_in_slots
from datamodules.otsnet.charset import Charset

LETTERS = Charset("abc")
PATTERNS = ["[ab]{1,2}", "a*", "(ab|c)+", "[^a]b?", ".{3}", ".*"]
LENGTH = 4


def table(seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).random((LENGTH, 4)) ** 3
    return made / made.sum(1, keepdims=True)


def spell(word: Any) -> str:
    return "".join(LETTERS.characters[token - 1] for token in word)


def in_slots(seed: int) -> dict[tuple[int, ...], float]:
    p = table(seed)
    words = [word for length in range(LENGTH) for word in product((1, 2, 3), repeat=length)]
    return {word: math.prod(p[slot, token] for slot, token in enumerate(word)) * p[len(word), 0] for word in words}


def in_columns(seed: int) -> tuple[dict[tuple[int, ...], float], dict[tuple[int, ...], float]]:
    """(sum, best) over all ways to write each word."""
    p, sums, bests = table(seed), {}, {}
    for path in product(range(4), repeat=LENGTH):
        value = math.prod(p[column, token] for column, token in enumerate(path))
        word = tuple(token for token, _ in groupby(path) if token)
        sums[word], bests[word] = sums.get(word, 0.0) + value, max(bests.get(word, 0.0), value)
    return sums, bests


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("seed", range(4))
def test_slots_give_the_most_probable_word_that_matches(pattern: str, seed: int) -> None:
    every = {word: p for word, p in in_slots(seed).items() if re.fullmatch(pattern, spell(word))}
    found = best_of_slots(table(seed), compile_pattern(pattern, LETTERS, LENGTH - 1))
    assert found is not None
    assert tuple(found.word) == max(every, key=lambda word: every[word])
    assert (found.probability, found.mass) == pytest.approx((max(every.values()), sum(every.values())))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("seed", range(4))
def test_columns_give_the_word_of_the_best_path_that_matches(pattern: str, seed: int) -> None:
    sums, bests = in_columns(seed)
    every = [word for word in sums if re.fullmatch(pattern, spell(word))]
    found = best_of_columns(table(seed), compile_pattern(pattern, LETTERS, LENGTH))
    assert found is not None
    assert tuple(found.word) == max(every, key=lambda word: bests[word])
    assert (found.probability, found.mass) == pytest.approx((sums[tuple(found.word)], sum(sums[word] for word in every)))
    own = [table(seed)[columns].argmax(1).tolist() for columns in found.places]
    assert len(own) == len(found.word)
    assert [column for columns in found.places for column in columns] == sorted({column for columns in found.places for column in columns})


def test_a_doubled_letter_needs_a_column_between() -> None:
    assert best_of_columns(table(0), compile_pattern("aa{2}", LETTERS, 9)) is None  # aaa needs five columns


def test_columns_sum_over_all_ways_to_write_a_word() -> None:
    sums, _ = in_columns(7)
    words = list(sums)
    np.testing.assert_allclose(np.exp(spelled_in_columns(table(7), words)), [sums[word] for word in words])
    assert spelled_in_columns(table(7), [(1, 1, 1)])[0] == -math.inf


def test_slots_count_a_letter_too_many_or_too_few_once() -> None:
    p = np.full((5, 4), 1e-6)
    for slot, token in enumerate((1, 2, 3, 1)):
        p[slot, token] = 1.0
    exact, missing, more, other = spelled_in_slots(p, 4, [(1, 2, 3, 1), (1, 3, 1), (1, 2, 2, 3, 1), (1, 2, 1, 1)])
    assert (exact, missing, more) == pytest.approx((0, -SKIP, -SKIP))
    assert other == pytest.approx(-2 * SKIP)  # dearer by what the slot thinks of it than by leaving both out
