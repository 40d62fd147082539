"""A graph with its answer: nodes coloured by how much of the answer rests on them, and the weight of each layer beside it."""

from typing import Any

import numpy as np

from apps.base.draw import png, style
from apps.histograph.draw_nodes import nodes_picture
from apps.histograph.graph_panel import MOST, mean_layers, panels, short, thinned
from datamodules.histograph.molecules import is_molecular, symbol

__all__ = ["answer_picture", "answer_words", "graph_figure"]

TOP = 4


def answer_picture(name: str, item: Any, answer: dict[str, Any], metadata: dict[str, Any]) -> bytes:
    """For predict --pictures: PNG of one input with its answer."""
    if metadata["program"] == "nodes":
        return nodes_picture(name, item, answer, metadata)
    x, edge_index = item[0].numpy(), item[1].numpy()
    symbols = [symbol(int(code)) for code in x[:, 0]] if is_molecular(metadata["features"]) else None
    weight_N = np.asarray(answer["node_weights"], dtype=float)
    return graph_figure(edge_index, weight_N, mean_layers(answer), answer_words(answer), name, symbols, metadata.get("first_layer", 0))


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
    nodes = len(weight_N)
    kept, edge_index = thinned(edge_index, weight_N)
    note = f"\nthe {MOST} nodes of greatest weight of {nodes:,}" if nodes > MOST else ""
    share_N = weight_N[kept] * nodes
    with style() as Figure:
        figure = Figure(figsize=(8.6, 4.6))
        axis, x_N2, size = panels(figure, edge_index, len(kept), weight_L, first)
        # The scale is fixed around an even share: a graph whose nodes count alike must not look as if they did not.
        top = max(2.0, float(share_N.max())) if len(share_N) else 2.0
        dots = axis.scatter(
            *x_N2.T, s=size, c=share_N, cmap="viridis", vmin=0, vmax=top, edgecolors="white", linewidths=0.6, zorder=2, clip_on=False
        )
        if symbols and len(kept) <= 120:
            for (x, y), text, share in zip(x_N2, symbols, share_N, strict=True):
                axis.text(x, y, text, ha="center", va="center", size=8, color="white" if share < 0.6 * top else "black", zorder=3)
        figure.colorbar(dots, ax=axis, label="node weight, times an even share", shrink=0.7, location="bottom")
        axis.set_title(short(name) + note, size=9)
        figure.suptitle(title)
        return png(figure)
