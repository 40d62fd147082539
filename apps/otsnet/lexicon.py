"""Words that are expected: which of them is nearest to what was read, by the reader's own probabilities.

Shapes: W words, S slots or columns, K classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.base.errors import UserError
from apps.otsnet.metrics import edit_distance
from apps.otsnet.one_case import other_case
from apps.otsnet.pattern import Automaton
from apps.otsnet.spelled import spelled_in_columns, spelled_in_slots
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.normalise import for_training

__all__ = ["Lexicon", "Nearest", "read_lexicon"]


class Nearest(NamedTuple):
    word: str  # as the lexicon writes it
    confidence: float  # among the lexicon's words
    distance: int  # characters by which it differs from what was read


class Lexicon:
    """words: as they are told; texts: the same in the charset. Where texts have letters of one case alone, case says nothing."""

    def __init__(self, words: Sequence[str], texts: Sequence[str], charset: Charset) -> None:
        self.words, self.texts, self.charset = list(words), list(texts), charset
        letters = "".join(texts)
        self.folds = charset.one_case is None and (letters == letters.upper() or letters == letters.lower())
        self._fold = other_case(charset) if self.folds else None
        number = {character: token for token, character in enumerate(charset.characters, 1)}
        self.tokens = [[number[character] for character in text] for text in texts]

    def nearest(self, table_SK: np.ndarray, read: str, by_columns: bool) -> Nearest:
        """read: the word as it was read without the lexicon"""
        if self._fold is not None:
            table_SK = table_SK + np.where(self._fold > 0, table_SK[:, self._fold], 0.0)
        score_W = spelled_in_columns(table_SK, self.tokens) if by_columns else spelled_in_slots(table_SK, len(read), self.tokens)
        best = int(score_W.argmax())
        text = self.texts[best]
        distance = edit_distance(read.casefold(), text.casefold()) if self.folds else edit_distance(read, text)
        return Nearest(self.words[best], float(1 / np.exp(np.maximum(score_W, -1e30) - max(score_W[best], -1e30)).sum()), distance)


def _why_none(words: int, strange: int, readable: int) -> str:
    """What left none of so many words: so many cannot be read, and the pattern lets none of the readable ones through."""
    if not words:
        return "it is empty; give a word a line"
    unread = f"{strange} are too long or have characters that the reader does not know"
    if not readable:
        return f"of its {words} words none is left: {unread}; give words that it can read, a line each"
    others = f"; the other {strange} are too long or have characters that the reader does not know" if strange else ""
    return f"none of its {readable} words that can be read matches --pattern or --charset{others}; loosen one or the other"


def read_lexicon(path: Path, charset: Charset, longest: int, pattern: Automaton | None = None) -> tuple[Lexicon, str]:
    """A word a line, UTF-8; and what was left out of it, in words. pattern: only words that it matches."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--lexicon {path}: {getattr(error, 'strerror', None) or 'not a text in UTF-8'}") from None
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    fitted = [(word, for_training(word, charset, longest)) for word in words]
    kept = [(word, text.text) for word, text in fitted if not text.fault and not text.stripped]
    strange, readable = len(words) - len(kept), len(kept)
    if pattern is not None:
        number = {character: token for token, character in enumerate(charset.characters, 1)}
        kept = [(word, text) for word, text in kept if pattern.matches([number[character] for character in text])]
    if not kept:
        raise UserError(f"--lexicon {path}: {_why_none(len(words), strange, readable)}")
    said = f"{strange} of {len(words)} words are too long or have characters that the reader does not know, left out" if strange else ""
    return Lexicon(*zip(*kept, strict=True), charset), said  # pyright: ignore[reportCallIssue]
