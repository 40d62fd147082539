"""What training did to the branches: how much attention the distractor got by layer, and how much each loss weighed."""

import math
from collections.abc import Mapping, Sequence

from apps.base.draw import COLOURS, png, style

__all__ = ["branches_figure"]

Points = Sequence[tuple[int, float]]  # (step, value)
BRANCHES = {"sa": "self-attention", "glca": "global-local", "pwca": "pair"}


def branches_figure(history: Mapping[str, Points]) -> bytes | None:
    """PNG from a run's metrics; None where the run logged neither (one branch, fixed weights)."""
    layers = sorted((int(key.removeprefix("train/leakage_")), key) for key in history if key.startswith("train/leakage_"))
    weights = [name for name in BRANCHES if f"train/w_{name}" in history]
    if not layers and not weights:
        return None
    with style() as Figure:
        import matplotlib

        figure = Figure(figsize=(9.6 if layers and weights else 5.0, 3.3))
        axes = list(figure.subplots(1, bool(layers) + bool(weights), squeeze=False).ravel())
        if layers:
            axis = axes.pop(0)
            shades = matplotlib.colormaps["viridis"]
            for place, (_, key) in enumerate(layers):
                axis.plot(*_lines(history[key]), color=shades(0.9 * place / max(1, len(layers) - 1)), label=f"pair block {place + 1}")
            axis.axhline(0.5, color="#777777", linewidth=1, linestyle=":")  # two pictures that the model does not tell apart
            axis.set_title("attention that the distractor got")
            axis.set_ylim(0, None)
            axis.set_xlabel("step")
            axis.legend(fontsize=7, ncols=2 if len(layers) > 4 else 1, loc="lower left")
        if weights:
            axis = axes.pop(0)
            for name, colour, line in zip(weights, COLOURS, ("-", "--", "-."), strict=False):
                steps, values = _lines(history[f"train/w_{name}"])
                axis.plot(steps, [math.exp(-w) for w in values], color=colour, linestyle=line, label=BRANCHES[name])
            axis.set_title("weight of each branch's loss, exp(-w)")
            axis.set_xlabel("step")
            axis.legend(loc="center right")
        return png(figure)


def _lines(points: Points) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]
