"""Words of a text as hashed numbers: the word itself, the word with the one before it, and its 3-grams (brief, 2.4.5).

Numbers, and the commas and brackets between them, are one token: what a problem is does not hang on how many numbers it has.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

__all__ = ["BUCKETS", "HEAD", "TAIL", "Token", "tokens"]

BUCKETS = 2048
HEAD, TAIL = 512, 128  # first and last positions that are looked at
REPEATS = 6  # of one token; job 40 of a long list says nothing new
REACH = 40_000  # characters at either end among which these positions are sought
_TOKEN = re.compile(r"(?P<number>[-+−]?(?<![^\W\d_])\d[\d.,;:()\[\]{}|\s×x=<>→+−\-]*)|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)(?P<digits>\d*)")


@dataclass(frozen=True)
class Token:
    start: int
    end: int
    buckets: tuple[int, ...]


def tokens(text: str) -> list[Token]:
    """At most HEAD + TAIL; `start` and `end` are places in the text.

    >>> [token.start for token in tokens("Pack 3, 4, 5 now")]
    [0, 5, 13]
    """
    if len(text) <= 2 * REACH:
        found = _part(text, 0)
    else:
        found = _part(text[:REACH], 0)[:HEAD] + _part(text[-REACH:], len(text) - REACH)[-TAIL:]
    return found if len(found) <= HEAD + TAIL else found[:HEAD] + found[-TAIL:]


def _part(text: str, offset: int) -> list[Token]:
    found: list[Token] = []
    seen: dict[str, int] = {}
    before = ""
    for match in _TOKEN.finditer(text):
        name = "0" if match["number"] else match["word"].lower() + ("0" if match["digits"] else "")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= REPEATS:
            found.append(Token(offset + match.start(), offset + match.start() + len(match[0].rstrip()), _buckets(name, before)))
        before = name
    return found


@lru_cache(maxsize=100_000)
def _buckets(name: str, before: str) -> tuple[int, ...]:
    padded = f"<{name}>"
    grams = {padded[k : k + 3] for k in range(len(padded) - 2)} if name != "0" else set()
    features = [f"w {name}", f"p {before} {name}", *(f"g {gram}" for gram in sorted(grams))]
    return tuple(crc32(feature.encode()) % BUCKETS for feature in features)
