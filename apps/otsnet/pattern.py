"""A regular expression as an automaton over a charset: which words may be read. The whole word must match.

Known: letters as they stand, `.`, [A-Z0-9], [^...], \\d, \\w, a backslash before a mark, (groups), a|b, and ?, *, +, {2}, {2,}, {2,5}.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from apps.base.errors import UserError
from datamodules.otsnet.charset import Charset

__all__ = ["Automaton", "compile_pattern", "of_words"]

MOST_STATES = 4000
DIGITS = set("0123456789")


@dataclass(frozen=True)
class Automaton:
    """Deterministic; it begins in state 0."""

    next_QC: np.ndarray  # int64, the state after a character (token - 1); -1: no word goes on so
    accepts_Q: np.ndarray  # bool, a word may end here
    counts_as_K: np.ndarray | None = None  # the class that each class is taken for, the other case of a letter; None: each is itself

    def matches(self, word: Sequence[int]) -> bool:
        """word: tokens, from 1 on"""
        state = 0
        for token in word if self.counts_as_K is None else self.counts_as_K[list(word)].tolist():
            state = int(self.next_QC[state, token - 1])
            if state < 0:
                return False
        return bool(self.accepts_Q[state])

    def shortest(self) -> int | None:
        """Characters of its shortest word that is not empty; None where there is none."""
        seen: set[int] = set()
        edge, length = {0}, 0
        while edge:
            edge = {int(state) for one in edge for state in self.next_QC[one] if state >= 0} - seen
            seen |= edge
            length += 1
            if any(self.accepts_Q[state] for state in edge):
                return length
        return None


@dataclass
class Nfa:
    """States with moves on sets of characters (by token - 1), and moves on nothing."""

    moves: list[list[tuple[frozenset[int], int]]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)

    def state(self) -> int:
        self.moves.append([])
        self.free.append([])
        if len(self.moves) > MOST_STATES:
            raise UserError(f"--pattern: it unfolds to more than {MOST_STATES:,} states; repeat less")
        return len(self.moves) - 1

    def closure(self, states: set[int]) -> frozenset[int]:
        found, edge = set(states), list(states)
        while edge:
            for target in self.free[edge.pop()]:
                if target not in found:
                    found.add(target)
                    edge.append(target)
        return frozenset(found)


@dataclass(frozen=True)
class Row:
    """One part behind the other."""

    parts: "list[Part]"


@dataclass(frozen=True)
class Choice:
    parts: "list[Part]"


@dataclass(frozen=True)
class Repeat:
    part: "Part"
    least: int
    most: int | None  # None: without end


Part = frozenset[int] | Row | Choice | Repeat  # a set is of characters, by token - 1


class Reader:
    """Of one pattern; wrong ones are refused with the place."""

    def __init__(self, pattern: str, charset: Charset) -> None:
        self.text, self.at, self.charset = pattern, 0, charset

    def read(self) -> Part:
        part = self.choice()
        if self.at < len(self.text):
            raise self.wrong("a ) without its (")
        return part

    def wrong(self, why: str) -> UserError:
        return UserError(f"--pattern {self.text!r}: {why} at character {self.at + 1}")

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        if self.at >= len(self.text):
            raise self.wrong("it ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def choice(self) -> Part:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.take()
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(parts)

    def sequence(self) -> Part:
        parts: list[Part] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom()))
        return Row(parts)

    def repeated(self, part: Part) -> Part:
        while (mark := self.peek()) and mark in "?*+{":
            self.take()
            least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(mark) or self.counts()
            part = Repeat(part, least, most)
        return part

    def counts(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : end].partition(",") if end >= 0 else ("", "", "")
        if end < 0 or not low.isdecimal() or (high and not high.isdecimal()):
            raise self.wrong("{ begins a count such as {3}, {2,} or {2,5}; a brace itself is \\{")
        self.at = end + 1
        most = int(high) if high else None if comma else int(low)
        if most is not None and most < int(low):
            raise self.wrong(f"{{{low},{high}}} counts backwards")
        return int(low), most

    def atom(self) -> Part:
        mark = self.take()
        if mark == "(":
            if self.text.startswith("?:", self.at):
                self.at += 2
            elif self.peek() == "?":
                raise self.wrong("a group of this kind is not known; only (...) and (?:...)")
            part = self.choice()
            if self.peek() != ")":
                raise self.wrong("a ( without its )")
            self.take()
            return part
        if mark == "[":
            return self.bracket()
        if mark == ".":
            return frozenset(range(len(self.charset)))
        if mark == "\\":
            return self.numbers(self.escaped())
        if mark in "^$":
            raise self.wrong(f"{mark} is not needed, the whole word must match; the character itself is \\{mark}")
        if mark in "?*+{":
            raise self.wrong(f"{mark} repeats nothing; the character itself is \\{mark}")
        return self.numbers({mark})

    def escaped(self) -> set[str]:
        mark = self.take()
        if mark == "d":
            return set(DIGITS)
        if mark == "w":
            return {character for character in self.charset.characters if character.isalnum() or character == "_"}
        if mark.isalnum():
            raise self.wrong(f"\\{mark} is not known; there are \\d and \\w")
        return {mark}

    def bracket(self) -> Part:
        negated = self.peek() == "^"
        if negated:
            self.take()
        found: set[str] = set()
        first = True
        while self.peek() != "]" or first:
            mark = self.take()
            given = self.escaped() if mark == "\\" else {mark}
            if len(given) == 1 and self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.take()
                last = self.take()
                if last < mark:
                    raise self.wrong(f"{mark}-{last} goes backwards")
                given = {chr(number) for number in range(ord(mark), ord(last) + 1)}
            found |= given
            first = False
        self.take()
        if negated:
            return frozenset(range(len(self.charset))) - self.numbers(found, some=False)
        return self.numbers(found)

    def numbers(self, characters: set[str], some: bool = True) -> frozenset[int]:
        """Of those that the charset has; that none is there is a mistake."""
        found = frozenset(self.charset.characters.index(character) for character in characters if character in self.charset)
        if some and not found:
            raise self.wrong(f"{'/'.join(sorted(characters))!r} is not in the reader's charset ({self.charset.characters})")
        return found


def compile_pattern(pattern: str, charset: Charset, longest: int) -> Automaton:
    """longest: most characters of a word; a pattern that no such word matches is refused."""
    nfa = Nfa()
    start = nfa.state()
    end = _build(nfa, Reader(pattern, charset).read(), start)
    automaton = _determined(nfa, start, end, len(charset))
    least = automaton.shortest()
    if least is None or least > longest:
        if automaton.accepts_Q[0]:
            raise UserError(f"--pattern {pattern!r}: it matches the empty word alone; say which characters are to be read")
        raise UserError(f"--pattern {pattern!r}: no word of up to {longest} characters matches it")
    return automaton


def of_words(words: Sequence[Sequence[int]], characters: int) -> Automaton:
    """Exactly these words, as tokens."""
    rows, ends = [np.full(characters, -1, np.int64)], [False]
    for word in words:
        state = 0
        for token in word:
            if rows[state][token - 1] < 0:
                rows[state][token - 1] = len(rows)
                rows.append(np.full(characters, -1, np.int64))
                ends.append(False)
            state = int(rows[state][token - 1])
        ends[state] = True
    return Automaton(np.stack(rows), np.array(ends))


def _build(nfa: Nfa, part: Part, start: int) -> int:
    """The state in which what began in `start` ends."""
    if isinstance(part, frozenset):
        end = nfa.state()
        nfa.moves[start].append((part, end))
        return end
    if isinstance(part, Row):
        for inner in part.parts:
            start = _build(nfa, inner, start)
        return start
    if isinstance(part, Choice):
        end = nfa.state()
        for inner in part.parts:
            begin = nfa.state()
            nfa.free[start].append(begin)
            nfa.free[_build(nfa, inner, begin)].append(end)
        return end
    for _ in range(part.least):
        start = _build(nfa, part.part, start)
    end = nfa.state()
    nfa.free[start].append(end)
    if part.most is None:
        again = nfa.state()
        nfa.free[start].append(again)
        last = _build(nfa, part.part, again)
        nfa.free[last] += [again, end]
    else:
        for _ in range(part.most - part.least):
            start = _build(nfa, part.part, start)
            nfa.free[start].append(end)
    return end


def _determined(nfa: Nfa, start: int, end: int, characters: int) -> Automaton:
    begin = nfa.closure({start})
    numbers, order, rows = {begin: 0}, [begin], []
    for states in order:  # grows on the way
        targets: list[set[int]] = [set() for _ in range(characters)]
        for state in states:
            for on, target in nfa.moves[state]:
                for character in on:
                    targets[character].add(target)
        row = np.full(characters, -1, np.int64)
        known: dict[frozenset[int], int] = {}
        for character, reached in enumerate(targets):
            if not reached:
                continue
            raw = frozenset(reached)
            if raw not in known:
                closed = nfa.closure(reached)
                if closed not in numbers:
                    numbers[closed] = len(order)
                    order.append(closed)
                    if len(order) > MOST_STATES:
                        raise UserError(f"--pattern: it has more than {MOST_STATES:,} states; make it simpler")
                known[raw] = numbers[closed]
            row[character] = known[raw]
        rows.append(row)
    return Automaton(np.stack(rows), np.array([end in states for states in order]))
