"""What a picture says: words, numbers, codes, names, two parts and random strings, in the cases and lengths of real signs."""

import random
import string
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from datamodules.errors import DataError
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.generator.former import formed_word
from datamodules.otsnet.generator.numbers_and_codes import code, number
from datamodules.otsnet.generator.vocabulary import is_held_out, words_of
from datamodules.otsnet.normalise import decomposed

__all__ = ["CHARACTERS_94", "LONGEST", "Said", "Wording"]

CHARACTERS_94 = string.printable[:94]
LONGEST = 25


def _table(weights: dict[str, float]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names and their weights up to each: choosing is twice as fast so."""
    return tuple(weights), tuple(accumulate(weights.values()))


KINDS = _table({"word": 60, "number": 12, "code": 10, "name": 8, "two parts": 5, "random": 5})
CASES = _table({"upper": 49, "title": 27, "lower": 21, "mixed": 3})
# Quantiles 5/25/50/75/95 % at 2, 3, 5, 6 and 10 letters. ours: 0.45 % for each length of 11 to 20, for more would leave no room for
# the 95 % up to 10.
LENGTHS = tuple(accumulate((2.5, 9.5, 16.0, 17.0, 17.0, 14.0, 8.5, 5.0, 3.5, 2.5, *(0.45,) * 10)))
SHARE_PUNCTUATED = 0.11
SHARE_FORMED = 0.2  # of the words
AFTER = _table({".": 28, ",": 14, "!": 14, "?": 5, "'s": 10, ":": 9, "-": 4, "&": 2, "/": 2, ";": 1, "*": 1})
AROUND = ("()", '""', "''", "[]", "--", "<>", "{}", "**", "~~")
BETWEEN = _table({"-": 35, "&": 12, "/": 8, "'": 4, " ": 36, "_": 2, "+": 3})
HELD_OUT_FROM = 20  # ours: of fewer words of one's own none is held out


class Said(NamedTuple):
    text: str  # what is set
    label: str  # what is to be read: over the charset
    kept: tuple[int, ...]  # the text's positions that the label has


class Wording:
    """Draws texts. `words`: one's own, which then are all there is."""

    def __init__(self, charset: str, words: Sequence[str] | None, *, held_out: bool) -> None:
        self.held_out = held_out
        letters = [character for character in charset if character.isalpha()]
        self._fold = str.lower if all(c == c.lower() for c in letters) else str.upper if all(c == c.upper() for c in letters) else str
        self._known, self._charset = frozenset(charset), charset
        self.left_out: list[str] = []  # of one's own words
        self._own = None if words is None else self._usable(words)
        if self._own is None and not self._known & frozenset(string.ascii_letters + string.digits):
            raise DataError("charset: has no letter a-z and no digit, which our own words are made of; give words=")
        self._by_length = {name: _by_length(words_of(name)) for name in ("everyday", "street", "names")} if words is None else {}

    def said(self, text: str) -> Said | None:
        """None where the charset lacks a letter or digit of it, nothing is left, or too much."""
        label, kept = [], []
        for i, character in enumerate(text):
            folded = self._fold(character)
            if folded in self._known:
                label.append(folded)
                kept.append(i)
            elif character.isalnum():
                return None
        return Said(text, "".join(label), tuple(kept)) if 0 < len(label) <= LONGEST else None

    def _usable(self, words: Sequence[str]) -> list[str]:
        """As they are set: what training would decompose in a label is decomposed in the picture, too, for few faces have it."""
        found, letters = dict[str, None](), Charset(self._charset)
        for word in dict.fromkeys(" ".join(word.split()) for word in words):
            text, beyond = decomposed(word, letters)
            if beyond or self.said(text) is None:
                self.left_out.append(word)
            else:
                found[text] = None
        good = list(found)
        if not good:
            raise DataError(f"words: none of {len(words)} can be written in this charset in {LONGEST} characters; check words and charset")
        if len(good) >= HELD_OUT_FROM:
            good = [word for word in good if is_held_out(word) == self.held_out] or good
        elif self.held_out:
            raise DataError(f"words: {len(good)} are too few to hold some out; give {HELD_OUT_FROM} or take words of another list")
        return good

    def draw(self, rng: random.Random) -> Said:
        if self._own is not None:
            said = self.said(rng.choice(self._own))
            assert said is not None  # looked at before
            return said
        for _ in range(80):  # a fifth is kept for one side, so that the other needs five tries on the average
            said = self.said(self._text(rng))
            if said is not None and is_held_out(said.label) == self.held_out:
                return said
        while True:
            said = self.said("".join(rng.choices(self._charset, k=rng.randint(3, 8))).strip() or self._charset[0])
            if said is not None and is_held_out(said.label) == self.held_out:
                return said

    def _text(self, rng: random.Random) -> str:
        kind = _pick(rng, KINDS)
        length = 1 + rng.choices(range(len(LENGTHS)), cum_weights=LENGTHS)[0]
        if kind == "number":
            return _of_length(rng, number, length)
        if kind == "code":
            return _of_length(rng, code, length)
        if kind == "random":
            return (
                "".join(rng.choices(self._charset if rng.random() < 0.5 else string.ascii_letters + string.digits, k=length)).strip() or "0"
            )
        if length > 12 or (kind == "two parts" and length > 4):
            text = self._two_parts(rng, length)
        else:
            text = _cased(rng, self._word(rng, length, "names" if kind == "name" else ""))
        return _punctuated(rng, text) if rng.random() < SHARE_PUNCTUATED else text

    def _word(self, rng: random.Random, length: int, name: str) -> str:
        """About as long as wanted, for not every list has every length."""
        if not name and length > 4 and rng.random() < SHARE_FORMED:
            return _of_length(rng, formed_word, length)
        if length == 1:
            return rng.choice(string.ascii_lowercase)
        name = name or ("street" if rng.random() < 0.22 else "everyday")
        lists = self._by_length[name]
        return rng.choice(next(lists[n] for n in (length, length - 1, length + 1, length - 2, 5) if lists.get(n)))

    def _two_parts(self, rng: random.Random, length: int) -> str:
        first = rng.randint(2, max(2, length - 3))
        first = min(max(first, length - 13), 12)
        one, two = self._word(rng, first, ""), self._word(rng, max(2, length - 1 - first), "")
        cased = _cased(rng, f"{one} {two}").split()
        return _pick(rng, BETWEEN).join(cased)


def _pick(rng: random.Random, table: tuple[tuple[str, ...], tuple[float, ...]]) -> str:
    return rng.choices(table[0], cum_weights=table[1])[0]


def _by_length(words: Sequence[str]) -> dict[int, list[str]]:
    found = defaultdict[int, list[str]](list)
    for word in words:
        found[len(word)].append(word)
    return dict(found)


def _of_length(rng: random.Random, draw: Callable[[random.Random], str], length: int) -> str:
    """The best of a few tries."""
    best = draw(rng)
    for _ in range(7):
        if len(best) == length:
            break
        other = draw(rng)
        best = min(best, other, key=lambda text: abs(len(text) - length))
    return best


def _cased(rng: random.Random, text: str) -> str:
    case = _pick(rng, CASES)
    if case == "upper":
        return text.upper()
    if case == "title":
        return " ".join(part[:1].upper() + part[1:] for part in text.split(" "))
    if case == "lower":
        return text.lower()
    return "".join(rng.choice((c.lower(), c.upper())) for c in text)


def _punctuated(rng: random.Random, text: str) -> str:
    if rng.random() < 0.12:
        around = rng.choice(AROUND)
        return around[0] + text + around[1]
    after = _pick(rng, AFTER)
    return rng.choice("&-'/$#@") + text if rng.random() < 0.06 else text + after
