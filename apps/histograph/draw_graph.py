"""A graph with its answer: nodes coloured by how much of the answer rests on them, and the weight of each layer beside it."""

from typing import Any

import numpy as np

from apps.base.draw import COLOURS, png, style
from apps.histograph.graph_layout import positions
from datamodules.histograph.molecules import ATOM, symbol

__all__ = ["answer_picture", "graph_figure"]

MOST = 800  # nodes that are drawn; beyond, those of the greatest weight
TOP = 4


def answer_picture(name: str, item: Any, answer: dict[str, Any], metadata: dict[str, Any]) -> bytes:
    """For predict --pictures: PNG of one input with its answer."""
    x, edge_index = item[0].numpy(), item[1].numpy()
    symbols = [symbol(int(code)) for code in x[:, 0]] if metadata["features"] == list(ATOM) else None
    layers = np.asarray(answer["layer_weights"], dtype=float)
    if layers.ndim == 2:  # each node has its own: their mean
        layers = layers.mean(0) if len(layers) else np.zeros(0)
    return graph_figure(
        edge_index,
        np.asarray(answer["node_weights"], dtype=float),
        layers,
        answer_words(answer),
        name,
        symbols,
        metadata.get("first_layer", 0),
    )


def answer_words(answer: dict[str, Any]) -> str:
    """The answer in one line: the likeliest classes, the likeliest tasks, or the numbers."""
    if isinstance(answer.get("probs"), list):
        return ", ".join(f"{row['label']}: {row['probability']:.1%}" for row in answer["probs"][:TOP])
    if "probs" in answer:
        likeliest = sorted(answer["probs"].items(), key=lambda pair: -pair[1])
        return ", ".join(f"{label}: {value:.1%}" for label, value in likeliest[:TOP])
    return ", ".join(f"{label}: {value:.4g}" for label, value in list(answer["out"].items())[:TOP])


def graph_figure(
    edge_index: np.ndarray,
    weight_N: np.ndarray,
    weight_L: np.ndarray,
    title: str,
    name: str = "",
    symbols: list[str] | None = None,
    first: int = 0,
) -> bytes:
    """weight_N sum to 1 in the graph; drawn as times an even share. first: the number of the first layer."""
    nodes, note = len(weight_N), ""
    if nodes > MOST:
        kept = np.sort(np.argsort(-weight_N, kind="stable")[:MOST])
        place = np.full(nodes, -1)
        place[kept] = np.arange(MOST)
        edge_index = place[edge_index]
        edge_index = edge_index[:, (edge_index >= 0).all(0)]
        share_N, note = weight_N[kept] * nodes, f"\nthe {MOST} nodes of greatest weight of {nodes:,}"
        symbols = [symbols[i] for i in kept] if symbols else None
    else:
        share_N = weight_N * nodes
    x_N2 = positions(edge_index, len(share_N))
    with style() as Figure:
        figure = Figure(figsize=(8.6, 4.6))
        axis, bars = figure.subplots(1, 2, width_ratios=(2.6, 1))
        axis.set_axis_off()
        axis.set_aspect("equal")
        axis.margins(0.1)
        for source, target in {(min(pair), max(pair)) for pair in edge_index.T.tolist()}:
            axis.plot(*x_N2[[source, target]].T, color="#999999", linewidth=1.0, zorder=1)
        size = float(np.clip(9000 / max(len(x_N2), 1), 14, 260))
        # The scale is fixed around an even share: a graph whose nodes count alike must not look as if they did not.
        top = max(2.0, float(share_N.max())) if len(share_N) else 2.0
        dots = axis.scatter(
            *x_N2.T, s=size, c=share_N, cmap="viridis", vmin=0, vmax=top, edgecolors="white", linewidths=0.6, zorder=2, clip_on=False
        )
        if symbols and len(symbols) <= 120:
            for (x, y), text, share in zip(x_N2, symbols, share_N, strict=True):
                axis.text(x, y, text, ha="center", va="center", size=8, color="white" if share < 0.6 * top else "black", zorder=3)
        figure.colorbar(dots, ax=axis, label="node weight, times an even share", shrink=0.7, location="bottom")
        axis.set_title(_short(name) + note, size=9)
        colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in weight_L]
        bars.bar(range(first, first + len(weight_L)), weight_L, color=colours)
        bars.axhline(0, color=COLOURS[-1], linewidth=0.8)
        bars.set_xticks(range(first, first + len(weight_L), max(1, len(weight_L) // 12)))
        bars.set_xlabel("layer (0: embedded input)")
        bars.set_title("weight of each layer", size=9)
        figure.suptitle(title)
        return png(figure)


def _short(name: str) -> str:
    return name if len(name) <= 70 else f"...{name[-67:]}"
