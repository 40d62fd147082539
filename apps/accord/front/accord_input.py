"""ACCORD's own input texts (brief, 2.1), with or without the headings of its prompt: read by the format's strict reader."""

import re

from apps.accord.front.capacity import capacity
from apps.accord.front.draft import Draft
from datamodules.accord.errors import ParseError
from datamodules.accord.formats.accord_text import read_instance
from datamodules.accord.instances import Instance

__all__ = ["accord_input"]

_LINES = re.compile(r"^[ \t]*(?:\[[\[(].*[\])]\]|J\d+:|(?:M\d+:\S+\s*)+|(?:coordinates|distances|demands)\s?:.*)[ \t]*$", re.M)
_HEADINGS = re.compile(r"^[ \t]*(?:###[ \t]*(?:Instruction|Input|Response):?[ \t]*|Below is an instruction\b.*)$", re.M)


def accord_input(draft: Draft, kind: str) -> Instance | None:
    """None where the text is not of that form; then it is read as any other."""
    lines = [match.span() for match in _LINES.finditer(draft.text)]
    if not lines:
        return None
    try:
        instance = read_instance(_HEADINGS.sub("", draft.text), kind)
    except ParseError:
        return None
    for number in draft.numbers:
        if any(start <= number.start < end for start, end in lines):
            draft.take(number, f"number of the {kind} input")
    if hasattr(instance, "capacity"):
        capacity(draft)
    return instance
