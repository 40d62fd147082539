"""A graph whose nodes were answered for: each coloured by its likeliest class, or by its first number.

Shapes: N nodes, K classes, T targets.
"""

from typing import Any

import numpy as np

from apps.base.draw import COLOURS, png, style
from apps.histograph.graph_panel import MOST, mean_layers, panels, short, thinned

__all__ = ["nodes_picture"]

TOP = 4
OTHERS = "#BBBBBB"  # of the classes beyond the colours
DOTS: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.6, "zorder": 2, "clip_on": False}


def nodes_picture(name: str, item: Any, answer: dict[str, Any], metadata: dict[str, Any]) -> bytes:
    """PNG of one graph with the answers for its nodes; of a large one, the nodes with most edges."""
    nodes, labels = len(item[0]), metadata["labels"]
    edge_index = item[1].numpy()
    kept, edge_index = thinned(edge_index, np.bincount(edge_index[0], minlength=nodes))
    note = f"\nthe {MOST} of {nodes:,} nodes with most edges" if nodes > MOST else ""
    with style() as Figure:
        figure = Figure(figsize=(8.6, 4.6))
        axis, x_N2, size = panels(figure, edge_index, len(kept), mean_layers(answer), metadata.get("first_layer", 0))
        axis.set_title(short(name) + note, size=9)
        if "probs" in answer:
            class_N = np.asarray(answer["probs"], dtype=float).reshape(nodes, len(labels)).argmax(1)
            counts = np.bincount(class_N, minlength=len(labels))
            commonest = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
            _by_class(axis, x_N2, class_N[kept], commonest, labels, size)
            words = [f"{labels[i]}: {counts[i]:,} nodes" for i in commonest[:TOP]]
        else:
            out_NT = np.asarray(answer["out"], dtype=float).reshape(nodes, len(labels))
            dots = axis.scatter(*x_N2.T, s=size, c=out_NT[kept, 0], cmap="viridis", **DOTS)
            figure.colorbar(dots, ax=axis, label=labels[0], shrink=0.7, location="bottom")
            ranges = zip(labels, out_NT.min(0, initial=np.inf), out_NT.max(0, initial=-np.inf), strict=True)
            words = [f"{label}: {low:.4g} to {high:.4g}" for label, low, high in ranges][:TOP] if nodes else []
        figure.suptitle(", ".join(words) or "no nodes")
        return png(figure)


def _by_class(axis: Any, x_N2: np.ndarray, class_N: np.ndarray, commonest: list[int], labels: list[str], size: float) -> None:
    """The commonest classes have a colour each, the others one together."""
    own = commonest if len(commonest) <= len(COLOURS) else commonest[: len(COLOURS) - 1]
    groups = [(class_N == one, COLOURS[place], labels[one]) for place, one in enumerate(own)]
    if len(own) < len(commonest):
        groups.append((~np.isin(class_N, own), OTHERS, f"{len(commonest) - len(own)} other classes"))
    for chosen_N, colour, label in groups:
        axis.scatter(*x_N2[chosen_N].T, s=size, c=colour, label=label, **DOTS)
    if groups:
        axis.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0), ncols=4, fontsize=8, handletextpad=0.2, markerscale=min(1.0, (40 / size) ** 0.5)
        )
