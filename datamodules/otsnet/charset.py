"""Characters and their numbers: end is 0, characters are 1..n in the order of the string, then begin, pad and mask."""

import string
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from datamodules.errors import DataError

__all__ = ["NAMED", "Charset", "CharsetError", "LabelTooLong", "charset"]

# Token order is string order: digits, lower, upper, punctuation. 95 ends with the blank.
NAMED = {
    "36": string.digits + string.ascii_lowercase,
    "62": string.digits + string.ascii_letters,
    "94": string.digits + string.ascii_letters + string.punctuation,
    "95": string.digits + string.ascii_letters + string.punctuation + " ",
}


class CharsetError(DataError):
    """A set of characters that cannot be one, or a character that is not in it."""


class LabelTooLong(DataError):  # noqa: N818 - a public name
    """A label with more characters than there are slots."""


class Charset:
    """n characters. A model answers with `classes` = n + 1 (0 ends a word) and is fed from a `vocabulary` of n + 4.

    >>> charset = Charset("abc")
    >>> charset.encode("cab", slots=5)
    tensor([3, 1, 2, 0, 5])
    >>> charset.decode([3, 1, 2, 0, 5])
    'cab'
    """

    end = 0

    def __init__(self, characters: str):
        if not characters:
            raise CharsetError("a charset needs at least one character; name 36, 62, 94, 95 or give the characters")
        twice = sorted({character for character in characters if characters.count(character) > 1})
        if twice:
            raise CharsetError(f"{twice[0]!r} is twice in the charset; give every character once")
        self.characters = characters
        self._number = {character: number for number, character in enumerate(characters, 1)}

    @property
    def begin(self) -> int:
        return len(self.characters) + 1

    @property
    def pad(self) -> int:
        return len(self.characters) + 2

    @property
    def mask(self) -> int:
        return len(self.characters) + 3

    @property
    def classes(self) -> int:
        return len(self.characters) + 1

    @property
    def vocabulary(self) -> int:
        return len(self.characters) + 4

    @property
    def one_case(self) -> str | None:
        """ "lower" or "upper" where letters of one case only are there; a label is folded to it. None: both, or none at all."""
        lower = any(character != character.upper() for character in self.characters)
        upper = any(character != character.lower() for character in self.characters)
        return None if lower == upper else "lower" if lower else "upper"

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self._number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Charset) and other.characters == self.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        return f"Charset({self.characters!r})"

    def encode(self, label: str, slots: int) -> Tensor:
        """int64 (slots,): the characters, one end, then pad."""
        if len(label) >= slots:
            raise LabelTooLong(f"{label!r}: {len(label)} characters are more than {slots - 1}; raise max_length or leave it out")
        unknown = [character for character in label if character not in self._number]
        if unknown:
            raise CharsetError(
                f"{label!r}: {unknown[0]!r} is not among the {len(self)} characters; normalise the label or extend the charset"
            )
        padding = [self.pad] * (slots - len(label) - 1)
        return torch.tensor([*(self._number[character] for character in label), self.end, *padding], dtype=torch.int64)

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The characters up to the first end; begin, pad and mask, which no model answers with, are left out."""
        text = []
        for token in tokens.tolist() if isinstance(tokens, Tensor) else tokens:
            if token == self.end:
                break
            if 1 <= token <= len(self.characters):
                text.append(self.characters[token - 1])
        return "".join(text)

    def adapt(self, other: "Charset") -> list[int | None]:
        """For every class of this charset the one of the other that means the same; None where the other has none."""
        return [0, *(other._number.get(character) for character in self.characters)]

    def missing(self, labels: Iterable[str]) -> set[str]:
        """Characters of the labels that are not in it."""
        return {character for label in labels for character in label} - self._number.keys()


def charset(name: str) -> Charset:
    """By name (36, 62, 94, 95) or by its characters."""
    return Charset(NAMED.get(name, name))
