"""What refinement did: words fixed and broken, and which."""

from collections.abc import Sequence
from typing import Any

from apps.base.draw import COLOURS, GREY, png, style
from apps.otsnet.draw_slots import shown
from apps.otsnet.metrics import ledger

__all__ = ["ledger_figure"]

SHOWN = 14  # words of a list
LONGEST = 34  # characters of a line
Row = dict[str, Any]  # truth, read, and first: the word before it was refined


def ledger_figure(rows: Sequence[Row]) -> bytes | None:
    """None where no word was read."""
    if not rows:
        return None
    first, read, true = ([row[name] for row in rows] for name in ("first", "read", "truth"))
    counts = ledger(first, read, true)
    fixed = [row for row in rows if row["first"] != row["truth"] == row["read"]]
    broken = [row for row in rows if row["first"] == row["truth"] != row["read"]]
    other = [row for row in rows if row["truth"] not in (row["first"], row["read"]) and row["first"] != row["read"]]
    with style() as Figure:
        figure = Figure(figsize=(11, 4.2))
        bars, *lists = figure.subplots(1, 4, width_ratios=[1.25, 1, 1, 1])
        names = ["fixed", "broken", "wrong, and\nanother way", "wrong,\nas before"]
        values = [counts.fixed, counts.broken, len(other), counts.still_wrong - len(other)]
        bars.bar(range(4), values, color=[COLOURS[2], COLOURS[1], COLOURS[4], GREY])
        bars.set_xticks(range(4), names, size=8)
        for place, value in enumerate(values):
            bars.text(place, value, str(value), ha="center", va="bottom")
        bars.set_ylim(0, max(*values, 1) * 1.12)
        verdict = "it pays" if counts.fixed > counts.broken else "it does not pay" if counts.fixed + counts.broken else "nothing changes"
        bars.set_title(f"{counts.still_right} of {len(rows)} right before and after; {verdict}", size=9)
        for axis, title, words, colour in zip(
            lists, ("fixed", "broken", "wrong another way"), (fixed, broken, other), (COLOURS[2], COLOURS[1], COLOURS[4]), strict=True
        ):
            _list(axis, f"{title}: {len(words)}", [_line(row) for row in words], colour)
        return png(figure)


def _line(row: Row) -> str:
    line = f"{row['first'] or '-'} → {row['read'] or '-'}"
    if row["read"] != row["truth"]:
        line += f"  (is {row['truth']})"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _list(axis: Any, title: str, lines: list[str], colour: str) -> None:
    axis.set_axis_off()
    axis.set_title(title, color=colour, loc="left")
    shown_lines = [shown(line) for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown_lines.append(f"and {len(lines) - SHOWN} more")
    axis.text(0, 0.98, "\n".join(shown_lines), va="top", size=8, transform=axis.transAxes, family="DejaVu Sans Mono")
