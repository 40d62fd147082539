"""Draws docs/study.png from the measured rows: what each mixer is worth beside softmax on two sets.

python -m docs.draw_study
"""

import json
from pathlib import Path
from typing import Any

from apps.base.bench.wins import BASE
from apps.base.draw import COLOURS, GREY, name_points, png, style

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
SETS = {"study_cifar10_subset": "CIFAR-10, 10,000 training pictures", "study_cub38": "38 species of birds, 1,140 training pictures"}


def draw(rows: dict[str, list[dict[str, Any]]]) -> bytes:
    """Left: the gap to softmax on both sets, with the interval over paired seeds. Right: one set over the other."""
    gaps = {name: {row["mixer"]: row for row in found if row["mixer"] != BASE} for name, found in rows.items()}
    first, second = gaps.values()
    order = sorted(first, key=lambda mixer: first[mixer]["over_softmax"] + second[mixer]["over_softmax"])
    with style() as Figure:
        figure = Figure(figsize=(12, 0.3 * len(order) + 2))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
        for k, (name, title) in enumerate(SETS.items()):
            found = [gaps[name][mixer] for mixer in order]
            places = [place + 0.16 - 0.32 * k for place in range(len(order))]
            values, halves = ([100 * row[key] for row in found] for key in ("over_softmax", "over_softmax_ci95"))
            left.errorbar(
                values, places, xerr=halves, fmt="os"[k], markersize=4, color=COLOURS[k], capsize=2, linestyle="none", label=title
            )
        left.set_yticks(range(len(order)), order)
        left.set_ylim(-0.8, len(order) - 0.2)
        left.set_xlabel("top-1 over softmax's, points, with the 95 % interval over paired seeds")
        left.legend(loc="lower left", bbox_to_anchor=(0, 1))  # above: no corner is empty
        points = {mixer: (100 * first[mixer]["over_softmax"], 100 * second[mixer]["over_softmax"]) for mixer in order}
        right.plot(*zip(*points.values(), strict=True), "o", color=COLOURS[2], markersize=6)
        for axis in (left, right):
            axis.axvline(0, color=GREY, linestyle=":", linewidth=1)
        right.axhline(0, color=GREY, linestyle=":", linewidth=1)
        right.set_xlabel(f"over softmax, points: {SETS['study_cifar10_subset']}")
        right.set_ylabel(f"over softmax, points: {SETS['study_cub38']}")
        name_points(right, points)
        return png(figure)


def main() -> None:
    (HERE / "study.png").write_bytes(draw({name: json.loads((RESULTS / f"{name}.json").read_text())["rows"] for name in SETS}))


if __name__ == "__main__":
    main()
