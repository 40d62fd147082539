"""From which length on a mixer beats softmax (CAB's efficiency length, arXiv 2210.07661), in time and in memory."""

from collections.abc import Sequence
from typing import Any

__all__ = ["BASE", "MARGIN", "MEASURES", "best", "wins"]

BASE = "softmax"
MARGIN = 0.05  # ours: what is closer than this is no win, but noise
MEASURES = ("forward_ms", "both_ms", "forward_mib", "both_mib")


def best(rows: Sequence[dict[str, Any]], measure: str) -> dict[str, dict[int, float]]:
    """mixer -> tokens -> its best form's figure."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if measure in row:
            lengths = found.setdefault(row["mixer"], {})
            lengths[row["tokens"]] = min(row[measure], lengths.get(row["tokens"], row[measure]))
    return found


def wins(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a mixer other than softmax: for each measure the smallest length from which on it wins, None where it never does."""
    tables = {measure: best(rows, measure) for measure in MEASURES}
    names = sorted({row["mixer"] for row in rows} - {BASE})
    return [{"mixer": name, **{measure: _from(tables[measure], name) for measure in MEASURES}} for name in names]


def _from(table: dict[str, dict[int, float]], name: str) -> int | None:
    base, own = table.get(BASE, {}), table.get(name, {})
    found = None
    for n in sorted(base.keys() & own.keys(), reverse=True):
        if own[n] >= (1 - MARGIN) * base[n]:
            break
        found = n
    return found
