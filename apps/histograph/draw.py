"""Pictures of a readout: the weights of its layers, and what becomes of the states with depth."""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.base.draw import COLOURS, confusion, png, style

__all__ = ["MOST_CLASSES", "class_layer_figure", "confusion_figure", "depth_figure", "graph_layer_figure", "layer_figure"]

MOST_CLASSES = 60  # above this a matrix has no readable cells
MOST_GRAPHS = 40


def layer_figure(mean: list[float], deviation: list[float], first: int = 0) -> bytes:
    """The weight of each layer as a bar with its sign, PNG; deviations are those between graphs."""
    with style() as Figure:
        figure = Figure(figsize=(1.6 + 0.5 * len(mean), 3.2))
        axis = figure.subplots()
        colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in mean]
        axis.bar(range(first, first + len(mean)), mean, yerr=deviation, color=colours, capsize=3)
        axis.axhline(0, color=COLOURS[-1], linewidth=0.8)
        axis.set_xlabel("layer (0: embedded input)")
        axis.set_ylabel("weight")
        axis.set_xticks(range(first, first + len(mean)))
        return png(figure)


def class_layer_figure(mean_by_class: Mapping[str, np.ndarray], first: int = 0) -> bytes:
    """A row a class, a column a layer: the mean weight, blue below zero and red above."""
    return _signed_matrix(np.stack(list(mean_by_class.values())), list(mean_by_class), "class", first, numbers=True)


def graph_layer_figure(weight_GL: np.ndarray, names: Sequence[str], first: int = 0) -> bytes:
    """The same with a row a graph."""
    return _signed_matrix(weight_GL[:MOST_GRAPHS], [_short(name) for name in names[:MOST_GRAPHS]], "graph", first, numbers=False)


def _signed_matrix(weight_RL: np.ndarray, names: list[str], what: str, first: int, numbers: bool) -> bytes:
    top = max(float(np.abs(weight_RL).max()), 1e-9)
    layers = weight_RL.shape[1]
    with style() as Figure:
        figure = Figure(figsize=(min(2.6 + 0.5 * layers, 16), 1.5 + 0.28 * len(names)))
        axis = figure.subplots()
        axis.grid(False)
        image = axis.imshow(weight_RL, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
        figure.colorbar(image, ax=axis, label="weight")
        axis.set_xticks(range(layers), range(first, first + layers))
        axis.set_yticks(range(len(names)), names, size=8)
        axis.set_xlabel("layer (0: embedded input)")
        axis.set_ylabel(what)
        if numbers and layers <= 12:
            for i, j in np.ndindex(*weight_RL.shape):
                strong = abs(weight_RL[i, j]) > 0.6 * top
                axis.text(j, i, f"{weight_RL[i, j]:.2f}", ha="center", va="center", size=7, color="white" if strong else "black")
        return png(figure)


def depth_figure(energy_L: np.ndarray, cosine_L: np.ndarray, weight_L: np.ndarray, first: int = 0) -> bytes:
    """Over-smoothing by depth: how rough the states are over the edges and how alike nodes are, beside the weight of each state."""
    layers = range(first, first + len(energy_L))
    with style() as Figure:
        figure = Figure(figsize=(10.2, 2.9))
        panels = figure.subplots(1, 3)
        for axis, values, title in zip(
            panels,
            (energy_L, cosine_L, weight_L),
            ("Dirichlet energy / squared norm", "mean cosine between nodes", "weight of the layer"),
            strict=True,
        ):
            axis.plot(layers, values, marker="o", markersize=4)
            axis.set_title(title)
            axis.set_xlabel("layer (0: embedded input)")
            axis.set_xticks(list(layers)[:: max(1, len(energy_L) // 10)])
        panels[0].set_ylim(bottom=0)
        panels[1].set_ylim(min(0.0, float(np.nan_to_num(cosine_L).min())), 1.02)
        panels[2].axhline(0, color=COLOURS[-1], linewidth=0.8)
        return png(figure)


def confusion_figure(matrix: np.ndarray, classes: list[str]) -> bytes:
    """The matrix as PNG; of many classes the commonest."""
    kept = np.sort(np.argsort(-matrix.sum(1), kind="stable")[:MOST_CLASSES])
    return confusion(matrix[np.ix_(kept, kept)], [classes[i] for i in kept])


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"...{name[-29:]}"
