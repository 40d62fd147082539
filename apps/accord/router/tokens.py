"""Words of a text as hashed numbers: the word, its 3-grams (brief, 2.4.5), and ours: what it means here (concepts.txt), so that a word
that no training text had is known by its fellows (trip, tour, loop).

Numbers, and the commas and brackets between them, are one token: what a problem is does not hang on how many numbers it has, only
(ours) on how they stand together: alone, in a list, in pairs.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from zlib import crc32

from apps.accord.front.guess import phrases

__all__ = ["BUCKETS", "HEAD", "REACH", "TAIL", "Token", "tokens"]

BUCKETS = 4096
HEAD, TAIL = 512, 128  # first and last positions that are looked at
REPEATS = 3  # of one token; job 40 of a long list says nothing new
MEANT = 3  # a concept counts as much as three 3-grams
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
CONCEPTS = Path(__file__).with_name("concepts.txt")
REACH = 40_000  # characters at either end among which these positions are sought
_TOKEN = re.compile(r"(?P<number>[-+−]?(?<![^\W\d_])\d[\d.,;:()\[\]{}|\s×x=<>→+−\-]*)|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)(?P<digits>\d*)")


@dataclass(frozen=True)
class Token:
    start: int
    end: int
    buckets: tuple[int, ...]
    meant: tuple[int, ...] = ()  # those of what the word means


def tokens(text: str) -> list[Token]:
    """At most HEAD + TAIL; `start` and `end` are places in the text.

    >>> [token.start for token in tokens("Pack 3, 4, 5 now")]
    [0, 5, 13]
    """
    if len(text) <= 2 * REACH:
        found = _part(text, 0) + _phrases(text)
    else:
        found = _part(text[:REACH], 0)[:HEAD] + _part(text[-REACH:], len(text) - REACH)[-TAIL:] + _phrases(text[:REACH])
    return found if len(found) <= HEAD + TAIL else found[:HEAD] + found[-TAIL:]


def _phrases(text: str) -> list[Token]:
    """The front end's key phrases, each a token of its own."""
    found = []
    for start, end, name in phrases(text):
        hashed = (crc32(f"k {name}".encode()) % BUCKETS,)
        found.append(Token(start, end, hashed, hashed))
    return found


def _part(text: str, offset: int) -> list[Token]:
    found: list[Token] = []
    seen: dict[str, int] = {}
    machine, after = -1, False  # the number of the job's last machine; whether a number after this word is one
    for match in _TOKEN.finditer(text):
        name = f"0 {_shape(match['number'])}" if match["number"] else match["word"].lower() + ("0" if match["digits"] else "")
        if match["word"] and match["word"].lower() in ("j", "job", "order", "part"):
            machine = -1
        label = match["digits"] if match["word"] and match["word"].lower() == "m" else match["number"] if after else ""
        if label and (number := re.match(r"\d{1,6}", label)):
            name = "m up" if int(number[0]) > machine else "m down"  # ours: routes that differ tell a job shop from a flow shop
            machine = int(number[0])
        after = bool(match["word"]) and match["word"].lower() == "machine"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= REPEATS:
            found.append(Token(offset + match.start(), offset + match.start() + len(match[0].rstrip()), *_buckets(name)))
    return found


def _shape(numbers: str) -> str:
    """How numbers stand together: one, list, pairs, or rows of more; `numbers` begins behind the first bracket.

    >>> [_shape(numbers) for numbers in ("12.", "3, 4, 5", "3, 4), (6, 1", "3, 4)", "1, 2, 3], [4, 5, 6")]
    ['one', 'list', 'pairs', 'pairs', 'rows']
    """
    group, closed, _ = numbers.replace("]", ")").partition(")")
    count = len(_NUMBER.findall(group))
    if closed and count > 1:
        return "pairs" if count == 2 else "rows"
    return "rows" if "\n" in group.strip() else "list" if len(_NUMBER.findall(numbers)) > 1 else "one"


@cache
def _concepts() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Whole words, and beginnings of words (loop*), with what they mean."""
    whole: dict[str, str] = {}
    begun: list[tuple[str, str]] = []
    for line in CONCEPTS.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, words = line.split(":")
            for word in words.split():
                if word.endswith("*"):
                    begun.append((word[:-1], name))
                else:
                    whole[word] = name
    return whole, begun


def _concept(name: str) -> str:
    whole, begun = _concepts()
    return whole.get(name) or next((meant for start, meant in begun if name.startswith(start)), "")


@lru_cache(maxsize=100_000)
def _buckets(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the word, and of what it means."""
    padded = f"<{name}>"
    if name.startswith("0 "):
        hashed = (crc32(b"w 0") % BUCKETS, crc32(f"c {name}".encode()) % BUCKETS)
        return hashed, hashed[-1:]
    grams = {padded[k : k + 3] for k in range(len(padded) - 2)}
    meant = _concept(name)
    features = [f"w {name}", *(f"g {gram}" for gram in sorted(grams)), *([f"c {meant}"] * MEANT if meant else [])]
    hashed = tuple(crc32(feature.encode()) % BUCKETS for feature in features)
    return hashed, hashed[-1:] if meant else ()
