"""What a bare table of numbers looks like: how many words each line has. Formats without a header are told by it."""

import re

from datamodules.accord.formats.source import Source

__all__ = ["first_widths", "is_numeric"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)


def is_numeric(line: str) -> bool:
    """Nothing but numbers; not-a-number counts, so that a reader can refuse it with its line."""
    return all(_NUMBER.fullmatch(word) for word in line.split())


def first_widths(source: Source, count: int = 3) -> list[int] | None:
    """Words on the first lines that hold something and are no # comment; None where one of them is no number."""
    widths = []
    for _, line in source.filled:
        if line.lstrip().startswith("#"):
            continue
        if len(widths) == count:
            break
        if not is_numeric(line):
            return None
        widths.append(len(line.split()))
    return widths
