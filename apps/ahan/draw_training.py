"""What training did: which scale each region came to look at, and how much attention the twin's keys got."""

from collections.abc import Mapping, Sequence

from apps.base.draw import COLOURS, GREY, png, style

__all__ = ["partners_figure", "scales_figure"]

Points = Sequence[tuple[int, float]]  # (step, value)
ALPHA, MASS = "train/alpha_", "train/partner_mass_"
DASHES = ("-", "--", ":", "-.")


def scales_figure(history: Mapping[str, Points]) -> bytes | None:
    """A panel a region, a line a scale, PNG; None where the run logged no shares (no hca, or fixed ones)."""
    found: dict[str, dict[str, Points]] = {}
    for key, points in history.items():
        if key.startswith(ALPHA):
            region, _, scale = key.removeprefix(ALPHA).rpartition("_")
            found.setdefault(region, {})[scale] = points
    if not found:
        return None
    with style() as Figure:
        figure = Figure(figsize=(2.6 * len(found), 2.9))
        axes = figure.subplots(1, len(found), squeeze=False, sharey=True).ravel()
        for axis, (region, lines) in zip(axes, found.items(), strict=True):
            for number, (scale, points) in enumerate(sorted(lines.items(), key=lambda item: int(item[0]))):
                axis.plot(*zip(*points, strict=True), color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number % 4], label=f"{scale}x")
            axis.axhline(1 / len(lines), color=GREY, linewidth=1, linestyle=(0, (1, 3)))
            axis.set_title(region)
            axis.set_xlabel("step")
        axes[0].set_ylabel("share of the scale")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
        return png(figure)


def partners_figure(history: Mapping[str, Points]) -> bytes | None:
    """The share of attention on the partner's keys by block, PNG; None where nobody saw a partner."""
    layers = sorted((int(key.removeprefix(MASS)), key) for key in history if key.startswith(MASS))
    if not layers:
        return None
    with style() as Figure:
        figure = Figure(figsize=(5.0, 3.2))
        axis = figure.subplots()
        for number, (layer, key) in enumerate(layers):
            steps, values = zip(*history[key], strict=True)
            marker = "o" if len(steps) < 30 else None
            axis.plot(steps, values, color=COLOURS[number % len(COLOURS)], marker=marker, markersize=4, label=f"block {layer}")
        axis.axhline(0.5, color=GREY, linewidth=1, linestyle=":")  # two faces that the block does not tell apart
        axis.set_ylim(0, max(0.55, max(value for _, key in layers for _, value in history[key])))
        axis.set_title("attention on the partner's keys, where one was seen")
        axis.set_xlabel("step")
        axis.legend(fontsize=8)
        return png(figure)
