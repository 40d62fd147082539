"""Words that do not exist and could: stems and endings, those kept whose letters follow one another as in the lists."""

import math
import random
from collections import Counter
from functools import lru_cache

from datamodules.otsnet.generator.vocabulary import LISTS, words_of

__all__ = ["formed_word", "likelihood"]

SHARE_REFUSED = 0.05  # of real words would be refused too


@lru_cache(maxsize=1)
def _letters() -> tuple[Counter[str], Counter[str], float]:
    """Counts of three letters in a row and of their first two, and the mark that 95 % of the lists' own words pass."""
    words = [word.lower() for name in LISTS for word in words_of(name) if len(word) > 3]
    threes, twos = Counter[str](), Counter[str]()
    for word in words:
        padded = f"^^{word}$"
        for i in range(len(padded) - 2):
            threes[padded[i : i + 3]] += 1
            twos[padded[i : i + 2]] += 1
    scores = sorted(_score(word, threes, twos) for word in words)
    return threes, twos, scores[int(SHARE_REFUSED * len(scores))]


def _score(word: str, threes: Counter[str], twos: Counter[str]) -> float:
    padded = f"^^{word}$"
    logs = (math.log((threes[padded[i : i + 3]] + 0.05) / (twos[padded[i : i + 2]] + 1.5)) for i in range(len(padded) - 2))
    return sum(logs) / (len(padded) - 2)


def likelihood(word: str) -> float:
    """The mean log-probability of a letter after the two before it."""
    threes, twos, _ = _letters()
    return _score(word.lower(), threes, twos)


def formed_word(rng: random.Random) -> str:
    stems, endings = words_of("stems"), words_of("endings")
    _, _, mark = _letters()
    word = ""
    for _ in range(12):
        stem, ending = rng.choice(stems), rng.choice(endings)
        if stem[-1] == "e" and ending[0] in "aeiou":
            stem = stem[:-1]
        word = stem + ending
        if likelihood(word) >= mark:
            break
    return word
