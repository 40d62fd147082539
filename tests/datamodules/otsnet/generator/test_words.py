import random
import string

import numpy as np

from datamodules.otsnet.generator.former import formed_word, likelihood
from datamodules.otsnet.generator.numbers_and_codes import code, number
from datamodules.otsnet.generator.vocabulary import LISTS, is_held_out, words_of
from datamodules.otsnet.generator.wording import CHARACTERS_94, Wording


def test_lists_hold_thousands_of_words_once_each() -> None:
    counts = {name: len(words_of(name)) for name in LISTS}
    assert counts["everyday"] > 3000
    assert counts["street"] > 600
    assert counts["names"] > 900
    for name in LISTS:
        words = words_of(name)
        assert len(set(words)) == len(words)
        assert all(set(word) <= set(string.ascii_lowercase + "-") for word in words)


def test_a_fifth_of_the_words_is_held_out_whatever_their_case() -> None:
    words = [word for name in LISTS for word in words_of(name) if len(word) > 2]
    assert 0.17 < np.mean([is_held_out(word) for word in words]) < 0.23
    assert all(is_held_out(word) == is_held_out(word.upper() + "!") for word in words[:300])
    assert not any(map(is_held_out, ("a", "of", "7", "Q!")))


def test_formed_words_are_new_many_and_likely() -> None:
    rng, known = random.Random(1), {word for name in LISTS for word in words_of(name)}
    words = [formed_word(rng) for _ in range(2000)]
    assert len(set(words) - known) > 1000
    shuffled = ["".join(rng.sample(word, len(word))) for word in words]
    assert np.mean([likelihood(word) for word in words]) > np.mean([likelihood(word) for word in shuffled]) + 0.5


def test_numbers_hold_digits_and_codes_are_short_enough() -> None:
    rng = random.Random(1)
    assert all(any(c.isdigit() for c in number(rng)) for _ in range(500))
    codes = [code(rng) for _ in range(1000)]
    assert sum(text.startswith("www.") for text in codes) > 20
    assert set("".join(codes)) <= set(CHARACTERS_94)


def test_cases_and_punctuation_are_those_of_signs() -> None:
    wording, rng = Wording(CHARACTERS_94, None, held_out=False), random.Random(2)
    labels = [wording.draw(rng).label for _ in range(4000)]
    lettered = [label for label in labels if sum(map(str.isalpha, label)) > 1]
    assert 0.45 < np.mean([label.isupper() for label in lettered]) < 0.62
    assert 0.1 < np.mean([label.islower() for label in lettered]) < 0.3
    assert 0.05 < np.mean([label.isdigit() for label in labels]) < 0.15
    assert 0.08 < np.mean([not label.isalnum() for label in labels]) < 0.3
    assert set("".join(labels)) == set(CHARACTERS_94)
