"""Text in aligned columns: the one form of every table on a terminal."""

from collections.abc import Sequence

__all__ = ["columns"]


def columns(lines: Sequence[Sequence[str]]) -> str:
    """The first line is the head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
