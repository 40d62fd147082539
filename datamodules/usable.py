"""What of a set can be trained on: broken pictures refuse the whole set, or are left out and counted."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from datamodules.errors import DataError
from datamodules.look import Listed, broken
from datamodules.store import Store

__all__ = ["left_out", "usable"]

R = TypeVar("R", bound=Listed)


def usable(
    named: str, store: Store, records: Sequence[R], problems: Sequence[str], skip_broken: bool, say: Callable[[str], None]
) -> tuple[list[R], list[str]]:
    """(the records that are not broken, what was left out: the set's problems and its broken pictures).

    named: what the user calls the set
    """
    bad = broken(store, records)
    skipped = [*problems, *bad.values()]
    if skipped and not skip_broken:
        more = f" (and {len(skipped) - 1} more; 'discern data check {named}' lists all)" if len(skipped) > 1 else ""
        remedy = "set skip_broken to leave such pictures out (--data.skip_broken=true; --skip-broken where a command has it)"
        raise DataError(f"{skipped[0]}{more}, or {remedy}")
    if skipped:
        say(f"{named}: {left_out(skipped)}, the first: {skipped[0]}")
    return [record for record in records if record.file not in bad], skipped


def left_out(skipped: Sequence[str]) -> str:
    return f"{len(skipped)} broken pictures or rows left out"
