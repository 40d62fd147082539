"""What `discern bench` prints of one pattern."""

from collections.abc import Sequence

from apps.base.bench.sweep import Row
from apps.base.bench.wins import MARGIN, MEASURES, wins
from apps.base.columns import columns

__all__ = ["table"]


def table(rows: Sequence[Row], lengths: Sequence[int], pattern: str) -> str:
    """Milliseconds forward and backward by form and length, then the lengths from which on each mixer wins, then what is missing."""
    measured = [row for row in rows if "skipped" not in row]
    cells: dict[tuple[str, str], dict[int, float]] = {}
    for row in measured:
        cells.setdefault((row["mixer"], row["form"]), {})[row["tokens"]] = row["both_ms"]
    timed = [["mixer", "form", *map(str, lengths)]]
    timed += [[*key, *(f"{found[n]:.2f}" if n in found else "-" for n in lengths)] for key, found in sorted(cells.items())]
    won = [["mixer", "forward time", "both time", "forward memory", "both memory"]]
    won += [[row["mixer"], *("never" if row[m] is None else str(row[m]) for m in MEASURES)] for row in wins(measured)]
    parts = [f"pattern {pattern}: forward and backward, ms by number of tokens", columns(timed)]
    if len(won) > 1:
        parts += ["", f"beats softmax by {MARGIN:.0%} or more from this number of tokens on (each in its best form)", columns(won)]
    missing = [
        f"{row['mixer']}{' ' + row['form'] if 'form' in row else ''}{_at(row)}: {row['skipped']}" for row in rows if "skipped" in row
    ]
    return "\n".join([*parts, *(["", "not measured", *missing] if missing else []), ""])


def _at(row: Row) -> str:
    return f" at {row['tokens']} tokens" if "tokens" in row else ""
