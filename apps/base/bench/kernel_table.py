"""What `discern bench kernels` prints: the forms of each operation by length, and from where on ours is ahead of the best of the others."""

from collections.abc import Iterator, Sequence
from typing import Any

from apps.base.bench.wins import MARGIN, wins_from
from apps.base.columns import columns

__all__ = ["OURS", "PASSES", "ahead", "table"]

OURS = "ours"
PASSES = ("forward", "forward and backward")

Row = dict[str, Any]


def ahead(rows: Sequence[Row], which: str, measure: str) -> int | None:
    """The length from which on ours beats the best other form by the margin; `rows` are of one operation and dtype."""
    own: dict[int, float] = {}
    best: dict[int, float] = {}
    for row in rows:
        if row["pass"] == which:
            table = own if row["form"] == OURS else best
            table[row["length"]] = min(row[measure], table.get(row["length"], row[measure]))
    return wins_from(best, own)


def table(rows: Sequence[Row]) -> str:
    """A block an operation and dtype."""
    return "\n".join(line for each in dict.fromkeys((row["operation"], row["dtype"]) for row in rows) for line in _block(rows, *each))


def _block(rows: Sequence[Row], operation: str, dtype: str) -> Iterator[str]:
    all_own = [row for row in rows if (row["operation"], row["dtype"]) == (operation, dtype)]
    own = [row for row in all_own if "skipped" not in row]
    lengths = sorted({row["length"] for row in own})
    for which in PASSES:
        cells = {(row["form"], row["length"]): row for row in own if row["pass"] == which}
        if not cells:
            continue
        lines = [["ms", *map(str, lengths)]]
        for form in dict.fromkeys(form for form, _ in cells):
            lines.append([form, *(_cell(cells.get((form, n)), "ms", "{:.3g}") for n in lengths)])
        for what, key, look in (
            ("ours, share of the floor", "share_of_floor", "{:.0%}"),
            ("ours, GB/s", "gb_per_s", "{:.0f}"),
            ("ours, TFLOP/s", "tflops", "{:.1f}"),
            ("ours, peak bytes", "peak_bytes", "{:.2e}"),
        ):
            lines.append([what, *(_cell(cells.get((OURS, n)), key, look) for n in lengths)])
        yield f"{operation}, {dtype}, {which}, by length"
        yield columns(lines)
        parts = [f"{what} {_from(ahead(own, which, measure))}" for what, measure in (("time", "ms"), ("memory", "peak_bytes"))]
        yield f"ours beats the best of the others by {MARGIN:.0%} or more: {', '.join(parts)}"
        yield ""
    for row in all_own:
        if "skipped" in row:
            yield f"{operation}, {dtype}, {row['form']} at {row['length']}: {row['skipped']}"


def _cell(row: Row | None, key: str, look: str) -> str:
    return "-" if row is None else look.format(row[key])


def _from(length: int | None) -> str:
    return "never" if length is None else f"from {length} on"
