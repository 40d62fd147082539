"""Brackets of a marked text as nested tuples, and what the text says the places of a tuple mean: (value, weight)."""

import re
from dataclasses import dataclass, field

from apps.accord.front.blocks import role

__all__ = ["Group", "groups", "headers", "leaves", "numeric_list"]

_TOKEN = re.compile(r"[\[({]|[\])}]|#(\d+)#|[^\W\d_][\w'\-]*|[^\s]")
_CLOSES = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Group:
    """What stands between two brackets: marks (int), words (str), groups."""

    start: int
    end: int = -1
    parts: list["int | str | Group"] = field(default_factory=list)

    @property
    def marks(self) -> list[int]:
        return [part for part in self.parts if isinstance(part, int)]

    @property
    def words(self) -> list[str]:
        return [part for part in self.parts if isinstance(part, str) and part not in ",;:"]

    @property
    def inner(self) -> list["Group"]:
        return [part for part in self.parts if isinstance(part, Group)]


def groups(marked: str) -> list[Group]:
    """The outermost brackets, in order; a bracket that does not close is no bracket."""
    top = Group(0)
    stack: list[tuple[Group, str]] = []
    for match in _TOKEN.finditer(marked):
        token = match[0]
        into = stack[-1][0] if stack else top
        if token in _CLOSES:
            stack.append((Group(match.start()), _CLOSES[token]))
        elif stack and token == stack[-1][1]:
            done, _ = stack.pop()
            done.end = match.end()
            (stack[-1][0] if stack else top).parts.append(done)
        elif match[1] is not None:
            into.parts.append(int(match[1]))
        elif token not in "])}":
            into.parts.append(token)
    return top.inner


def leaves(found: list[Group]) -> list[Group]:
    """The innermost brackets, in order."""
    out: list[Group] = []
    todo = list(reversed(found))
    while todo:
        group = todo.pop()
        if group.inner:
            todo += reversed(group.inner)
        else:
            out.append(group)
    return out


def headers(marked: str) -> list[list[str]]:
    """Tuples of names, as roles: `(value, weight)`, `value/weight pairs`, `their values and weights`."""
    found = []
    for match in re.finditer(r"[\[({]\s*([^\W\d_][\w \-.]*(?:\s*[,;:/|]\s*[^\W\d_][\w \-.]*)+)\s*[\])}]", marked):
        found.append([role(name) or name.strip() for name in re.split(r"\s*[,;:/|]\s*", match[1])])
    for match in re.finditer(r"\b([a-z]+)\s*(?:[-/,:]|and)\s*([a-z]+)\s+(?:pairs?|tuples?)\b", marked, re.I):
        found.append([role(match[1]) or match[1], role(match[2]) or match[2]])
    for match in re.finditer(
        r"\b(?:pairs are|pairs?|tuples?|triples?|given as|written as|listed as|in the form(?: of)?"
        r"|format)\s*(?:of|:|as)?\s*(?:the\s)?([a-z]+)\s*(?:,|and|then|/)\s*(?:the\s)?([a-z]+)",
        marked,
        re.I,
    ):
        found.append([role(match[1]) or match[1], role(match[2]) or match[2]])
    return [names for names in found if any(role(name) for name in names)]


def numeric_list(marked: str, labels: str) -> list[list[int]]:
    """Lists of marks after a label: `sizes: 6, 5, 4 and 5`, `values = [6, 5]`, `of size 6 and 5`."""
    item = r"#\d+#"
    between = r"\s*(?:,\s*and|;|,|\band\b|&|\s)\s*"
    pattern = (
        rf"(?:{labels})\s*(?:\([^()#]*\))?\s*(?:(?:of|for|in|per)\s+(?:the\s|all\s|each\s)?(?:\w+\s)??\w+)?(?:\s+[a-z](?=\s*[=:]))?\s*("
        rf"?:are|is|of|:|=|being|as follows:?|respectively)*\s*[\[({{]?\s*({item}(?:{between}{item})*)"
    )
    return [[int(k) for k in re.findall(r"#(\d+)#", match[1])] for match in re.finditer(pattern, marked, re.I)]
