"""Frames that can be opened: all of a table are tried before anything learns from them, unless they are very many."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from datamodules.hag.table import PolypTable
from datamodules.usable import left_out, usable

__all__ = ["MANY", "opened"]

MANY = 20_000  # frames from which on opening each before training would take longer than the training


def opened(table: PolypTable, path: str, skip_broken: bool, say: Callable[[str], None]) -> tuple[PolypTable, Sequence[str]]:
    """The table of what can be used, and what was left out of it. What is broken is refused, or left out with `skip_broken`."""
    many = len(table.records) > MANY and not skip_broken
    kept, skipped = usable(path, table.store, [] if many else table.records, table.problems, skip_broken, say)
    notes = [*table.notes, *([left_out(skipped)] if skipped else [])]
    if many:
        say(f"{path}: {len(table.records):,} frames are not opened before they are needed; 'discern data check' opens all")
    return replace(table, records=table.records if many else kept, problems=[], notes=notes), skipped
