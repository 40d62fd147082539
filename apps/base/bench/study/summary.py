"""From trainings to the study's table: one row a mixer, beside softmax's of the same seeds."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.base.bench.wins import BASE
from apps.base.columns import columns
from apps.base.interval import interval

__all__ = ["crossovers", "summary", "table"]

PATTERNS = ("ns", "cs", "nc", "cc")


def summary(
    trainings: Sequence[dict[str, Any]], costs: dict[str, dict[str, float]], lengths: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """One row a mixer, the best first. Gaps are of the same seeds; `better` and `worse` where the interval leaves zero out."""
    by_mixer: dict[str, dict[int, dict[str, Any]]] = {}
    for row in trainings:
        by_mixer.setdefault(row["mixer"], {})[row["seed"]] = row
    rows = []
    for name, runs in by_mixer.items():
        scores = [run["top1"] for run in runs.values()]
        gaps = [run["top1"] - by_mixer[BASE][seed]["top1"] for seed, run in runs.items() if seed in by_mixer.get(BASE, {})]
        rows.append(
            {
                "mixer": name,
                "top1": round(statistics.mean(scores), 4),
                "top1_ci95": rounded(scores),
                "over_softmax": round(statistics.mean(gaps), 4) if gaps and name != BASE else None,
                "over_softmax_ci95": rounded(gaps) if name != BASE else None,
                "verdict": "" if name == BASE else verdict(gaps),
                "parameters": next(iter(runs.values()))["parameters"],
                "seeds": len(runs),
                **costs.get(name, {}),
                **{f"from_{pattern}": _from(lengths.get(name, {}), pattern) for pattern in PATTERNS},
            }
        )
    return sorted(rows, key=lambda row: -row["top1"])


def _from(lengths: dict[str, Any], pattern: str) -> str:
    return "-" if pattern not in lengths else "never" if lengths[pattern] is None else str(lengths[pattern])


def rounded(values: Sequence[float]) -> float | None:
    return round(interval(values), 4) if len(values) > 1 else None


def verdict(gaps: Sequence[float]) -> str:
    """Beyond noise, or not."""
    if len(gaps) < 2:
        return "one seed"
    mean, half = statistics.mean(gaps), interval(gaps)
    return "better" if mean > half else "worse" if mean < -half else "level"


def crossovers(file: Path) -> dict[str, dict[str, Any]]:
    """By mixer and pattern, the number of tokens from which on a training step is faster than softmax's, None: never; of a length sweep."""
    try:
        rows = json.loads(file.read_text())["wins"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["mixer"], {})[row["pattern"]] = row["both_ms"]
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    head = ["mixer", "top-1", "over softmax", "", "parameters", "step", "memory", *(f"from {pattern}" for pattern in PATTERNS)]
    lines = [head]
    for row in rows:
        lines.append(
            [
                row["mixer"],
                with_half(row["top1"], row["top1_ci95"]),
                "" if row["over_softmax"] is None else with_half(row["over_softmax"], row["over_softmax_ci95"], "+"),
                row["verdict"],
                f"{row['parameters']:,}",
                f"{row['step']:.2f} x" if "step" in row else "-",
                f"{row['memory']:.2f} x" if "memory" in row else "-",
                *(row[f"from_{pattern}"] for pattern in PATTERNS),
            ]
        )
    return columns(lines)


def with_half(value: float, half: float | None, sign: str = "") -> str:
    return f"{100 * value:{sign}.2f}" + ("" if half is None else f" ± {100 * half:.2f}")
