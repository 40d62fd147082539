"""From which length on a mixer beats softmax (CAB's efficiency length, arXiv 2210.07661), in time and in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["BASE", "MARGIN", "MEASURES", "best", "wins", "wins_from"]

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
    return [{"mixer": name, **{m: wins_from(tables[m].get(BASE, {}), tables[m].get(name, {})) for m in MEASURES}} for name in names]


def wins_from(base: Mapping[int, float], own: Mapping[int, float]) -> int | None:
    """The smallest length from which on, at all that both have, `own` is smaller than `base` by the margin or more."""
    found = None
    for n in sorted(base.keys() & own.keys(), reverse=True):
        if own[n] >= (1 - MARGIN) * base[n]:
            break
        found = n
    return found
