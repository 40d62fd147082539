"""A cross-validation as a picture."""

from collections.abc import Mapping

from apps.base.crossval.plan import Cut
from apps.base.crossval.result import Result
from apps.base.draw import COLOURS, png, style

__all__ = ["folds_figure"]


def folds_figure(result: Result, values: Mapping[Cut, float]) -> bytes:
    """Every training as a point over its fold, a colour a seed; the mean as a line in its 95 % interval, PNG."""
    folds = list(result.headline.per_fold)
    seeds = sorted({cut.seed for cut in values})
    with style() as Figure:
        figure = Figure(figsize=(min(2.2 + 0.42 * len(folds), 14), 3.4))
        axis = figure.subplots()
        mean, half = result.headline.mean, result.headline.half_interval
        axis.axhline(mean, color=COLOURS[-1], linewidth=1.2, label=f"mean {mean:.3f}")
        if half == half:
            axis.axhspan(mean - half, mean + half, color=COLOURS[-1], alpha=0.08, linewidth=0, label="95 % interval")
        for i, seed in enumerate(seeds):
            own = sorted((cut, value) for cut, value in values.items() if cut.seed == seed)
            shift = 0.12 * (i - (len(seeds) - 1) / 2) if len(seeds) < 6 else 0.0
            at = [folds.index(f"{'' if cut.repeat is None else f'{cut.repeat}/'}{cut.fold}") + shift for cut, _ in own]
            label = f"seed {seed}" if len(seeds) < 6 else None
            axis.plot(at, [value for _, value in own], "o", markersize=5, color=COLOURS[i % (len(COLOURS) - 1)], label=label)
        axis.set_xticks(range(len(folds)), folds, rotation=90 if len(folds) > 20 else 0)
        axis.set_xlabel("fold" if "/" not in folds[0] else "repeat/fold")
        axis.set_ylabel(result.metric)
        if result.selected_on.startswith("test"):
            axis.set_title("selected on test: optimistic", color=COLOURS[1])
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        return png(figure)
