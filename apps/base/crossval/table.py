"""A cross-validation as text."""

import math
from collections.abc import Mapping, Sequence

from apps.base.columns import columns
from apps.base.crossval.plan import Cut
from apps.base.crossval.result import Result
from apps.base.interval import mean_and_interval

__all__ = ["flag", "table"]


def table(result: Result, values: Mapping[Cut, float]) -> str:
    """A row a fold with its seeds, then the seeds' means, then the other metrics, then what all was chosen on."""
    head = result.headline
    seeds = sorted({cut.seed for cut in values})
    lines: list[Sequence[str]] = [("fold", *(f"seed {seed}" for seed in seeds), "mean")]
    for name, mean in head.per_fold.items():
        repeat, _, fold = name.rpartition("/")
        own = {cut.seed: value for cut, value in values.items() if str(cut.fold) == fold and str(cut.repeat or 0) == (repeat or "0")}
        lines.append((name, *(f"{own[seed]:.4f}" if seed in own else "-" for seed in seeds), f"{mean:.4f}"))
    lines.append(("mean", *(f"{head.per_seed.get(str(seed), math.nan):.4f}" for seed in seeds), f"{head.mean:.4f}"))
    rest = [(key, mean_and_interval(one.mean, one.half_interval)) for key, one in sorted(result.scores.items()) if key != result.metric]
    return "\n".join(
        [
            f"{result.run.name}: {result.metric} {mean_and_interval(head.mean, head.half_interval)}{flag(result.selected_on)}",
            f"deviation {head.std_folds:.4f} over the folds, {head.std_seeds:.4f} over the seeds; {result.trainings} trainings",
            f"selected on {result.selected_on}",
            "",
            columns(lines),
            "",
            columns(rest),
            "",
            "mean ± half its 95 % interval over the folds",
        ]
    )


def flag(selected_on: str) -> str:
    """What must stand beside a figure that was chosen on the graphs, bags, ... that it is of."""
    return "  SELECTED ON TEST: optimistic, for comparison only" if selected_on.startswith("test") else ""
