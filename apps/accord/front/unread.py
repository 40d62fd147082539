"""What a text says beyond what was read of it. A rule left out would make another problem of it: such a text is refused, and told why.

Two signs: a number that nothing was made of and that is no name, count or date (spare.py); a sentence with a word of a rule ("before",
"only", "must not") of which nothing was read, and which is none of what people say of every problem (ordinary.txt).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from apps.accord.front.blocks import Blocks, role
from apps.accord.front.draft import Draft
from apps.accord.front.numbers import Number
from apps.accord.front.spare import Spare
from datamodules.accord.instances import KINDS, Instance

__all__ = ["unread"]

TABLE = Path(__file__).with_name("ordinary.txt")
INSTEAD = {
    "tsp": "OR-Tools routing", "cvrp": "PyVRP or OR-Tools routing", "knapsack": "a MIP solver such as HiGHS",
    "binpack": "a MIP solver such as HiGHS", "pfsp": "OR-Tools CP-SAT", "jssp": "OR-Tools CP-SAT",
}  # fmt: skip
TOLD = 3  # sentences that a refusal quotes
SHOWN = 70  # characters of each
LONG = 2_000  # a longer sentence is a list, not a rule
NAMING = frozenset({"name", "job", "machine", "step", "from", "to", "depot", "kind"})  # roles of columns that need not be used
_SENTENCE = re.compile(r"(?:(?<!\bno)(?<!\be\.g)(?<!\bi\.e)(?<!\bmax)(?<!\bmin)[.]|[!?;])(?=\s)|\n")
_CLAUSE = re.compile(
    r",(?!\d)|[–—]|\b(?:but|while|whereas)\b|\band\b(?=(?: \w+){1,3} (?:must|may|can|cannot|should|has to|have to|needs? to)\b)"
)
_COUNTING = re.compile(r"number of|\b(?:job|machine|depot)$|\bid of\b")  # meanings that say nothing of what a sentence is about
_NO_NAMES = frozenset(
    {
        "I",
        "The",
        "It",
        "A",
        "a",
        "An",
        "And",
        "In",
        "At",
        "My",
        "We",
        "Our",
        "Each",
        "Every",
        "All",
        "No",
        "M",
        "J",
        "hub",
        "depot",
        "Hub",
        "Depot",
    }
)
_QUESTION = re.compile(
    r"^\W*(?:(?:and|so|please|hi|hello)\W+)*(?:which|what|whom?|whose|how|when|where|in (?:which|what)|with (?:which|what))\b", re.I
)
COMMANDED = ("tsp", "cvrp", "knapsack", "binpack")  # where a command is no description of how work flows
_COMMAND = re.compile(
    r"\W*(?:please )?(?:visit|serve|put|take|begin|start|go|do|deliver|end|stop|keep|place|pack|finish|drive|load|spend|fill|use)\b", re.I
)
_DUTY = re.compile(r"\b(?:must|ha(?:s|ve) to|needs? to|should|shall|may|can|wants?|is to|are to|ought to|insists?)\b", re.I)


@dataclass(frozen=True)
class _Sentence:
    start: int
    end: int
    read: bool  # whether a number in it was read as a datum


@cache
def _patterns(head: str) -> re.Pattern[str]:
    """All patterns of the table under this head; `tsp` stands under `all` and `tsp cvrp`, `rule tsp` under `rule` and `rule tsp cvrp`."""
    word, _, kind = head.rpartition(" ")
    found: list[str] = []
    for block in TABLE.read_text("utf-8").split("\n\n")[1:]:
        first, *lines = block.strip("\n").split("\n")
        name = first.removeprefix("== ")
        if kind in KINDS:
            fits = name in ("all", "rule")[bool(word) :][:1] or (name.startswith("rule") == bool(word) and kind in name.split())
        else:
            fits = name == head
        found += lines if fits else []
    return re.compile("|".join(found), re.I)


def unread(draft: Draft, blocks: Blocks, kind: str, instance: Instance | None) -> list[str]:
    """One line where the text says what was not read of it, none where all of it is accounted for. `instance`: None where the numbers that
    were read make none."""
    spare = Spare(draft, kind, instance)
    data = sorted({start for (start, _), (_, meaning) in draft.taken.items() if not _COUNTING.search(meaning)} | spare.again)
    sentences = list(_sentences(draft, data))
    left = spare.left([sentence.end for sentence in sentences], data)
    names = _names(draft, blocks, sentences)
    told: list[str] = []
    for sentence in sentences:
        text = draft.free[sentence.start : sentence.end]
        numbers = [draft.text[a:b] for a, b in left if sentence.start <= a < sentence.end]
        if numbers or (len(text) <= LONG and _ruled(text, sentence, data, kind, names)):
            told.append(f'"{_short(text)}"' + (f" ({', '.join(numbers[:4])})" if numbers else ""))
    told += [f"column or key {name!r}" for name in _columns(draft, blocks)]
    if not told:
        return []
    more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
    remedy = f"leave it out if it changes nothing, say data in another way, and for rules beyond {kind} use {INSTEAD[kind]}"
    return [f"not understood: {', '.join(told[:TOLD])}{more}; {remedy}"]


def _sentences(draft: Draft, data: Sequence[int]) -> Iterator[_Sentence]:
    """In the text's order, blank ones left out."""
    start = 0
    for end in [*(match.end() for match in _SENTENCE.finditer(draft.free)), len(draft.free)]:
        if draft.free[start:end].strip():
            yield _Sentence(start, end, _within(data, start, end))
        start = end


def _within(places: Sequence[int], start: int, end: int) -> bool:
    return bisect_left(places, end) > bisect_left(places, start)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 3].rsplit(' ', 1)[0]} ..."


def _columns(draft: Draft, blocks: Blocks) -> list[str]:
    """Columns of tables and keys of JSON with numbers that were not used, but for names and running numbers."""
    told: dict[str, list[Number]] = {}
    for table in blocks.tables:
        for name, *cells in zip(table.header, *table.rows, strict=True):
            told[name] = [cell for cell in cells if isinstance(cell, Number)]
    for made in blocks.objects:
        _keyed(made, "", told)
    return [name for name, numbers in told.items() if role(name) not in NAMING and not _used(draft, numbers)]


def _keyed(made: Any, key: str, told: dict[str, list[Number]]) -> None:
    """The numbers of a JSON value by the key that is next to them."""
    if isinstance(made, Number):
        told.setdefault(key, []).append(made)
    elif isinstance(made, dict):
        for name, value in made.items():
            _keyed(value, str(name), told)
    elif isinstance(made, list):
        for value in made:
            _keyed(value, key, told)


def _used(draft: Draft, numbers: Sequence[Number]) -> bool:
    if not numbers or any((one.start, one.end) in draft.taken for one in numbers):
        return True
    return len(numbers) > 1 and numbers[0].value <= 1 and all(b.value in (a.value + 1, 0, 1) for a, b in pairwise(numbers))


def _names(draft: Draft, blocks: Blocks, sentences: Sequence[_Sentence]) -> re.Pattern[str] | None:
    """Names of what the data are about: cells of tables, and words with a capital that stand among data."""
    found = {cell for table in blocks.tables for row in table.rows for cell in row if isinstance(cell, str) and cell.strip()}
    for sentence in sentences:
        if sentence.read and sentence.end - sentence.start <= LONG:
            found |= set(re.findall(r"(?<=[\s(\-–,:;])[A-Z][a-z]*\b(?:\d+)?", draft.free[sentence.start : sentence.end].strip()))
    found -= _NO_NAMES
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(found, key=len, reverse=True))) + r")\b") if found else None


def _ruled(text: str, sentence: _Sentence, data: Sequence[int], kind: str, names: re.Pattern[str] | None) -> bool:
    """Whether the sentence, or a clause of which nothing was read, has a word of a rule that is none of what is said of every problem."""
    asked = text.rstrip().endswith("?") or bool(_QUESTION.match(text))
    for a, b in _clauses(text) if sentence.read else [(0, len(text))]:
        if sentence.read and _within(data, sentence.start + a, sentence.start + b):
            continue
        rest = _patterns(kind).sub(" ~ ", " ".join(text[a:b].split()))
        if asked:
            if _patterns("rule asked").search(rest):
                return True
            continue
        weak = bool(_patterns("rule weak").search(rest))
        named, duty = bool(names and names.search(text[a:b])), bool(_DUTY.search(rest))
        if _patterns(f"rule {kind}").search(rest) or weak + named + duty > 1 or (weak and kind in COMMANDED and _COMMAND.match(rest)):
            return True
    return False


def _clauses(text: str) -> list[tuple[int, int]]:
    cuts = [match.span() for match in _CLAUSE.finditer(text)]
    return list(zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)], strict=True))
