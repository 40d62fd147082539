"""Our own word lists, by length, and the rule by which a fifth of all words is never trained on."""

import zlib
from functools import lru_cache
from importlib.resources import files

__all__ = ["LISTS", "is_held_out", "key_of", "words_of"]

LISTS = ("everyday", "street", "names")
FIFTHS = 5


@lru_cache(maxsize=8)
def words_of(name: str) -> tuple[str, ...]:
    """A list of the package: words between blanks, a # begins a remark."""
    lines = files("datamodules.otsnet.words").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines for word in line.partition("#")[0].split())


def key_of(text: str) -> str:
    """What makes two texts the same word: letters and digits, without case."""
    return "".join(character for character in text.casefold() if character.isalnum())


def is_held_out(text: str) -> bool:
    """A fifth, by hash. ours: never a word of one or two letters, for there are few and a reader needs them all."""
    key = key_of(text)
    return len(key) > 2 and zlib.crc32(key.encode()) % FIFTHS == 0
