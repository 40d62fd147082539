"""Pictures of a readout: the weights of its layers, and what becomes of the states with depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.base.draw import COLOURS, png, style

__all__ = ["MOST_CLASSES", "class_layer_figure", "depth_figure", "graph_layer_figure", "layer_bars", "layer_figure"]

MOST_CLASSES = 60  # with a row of their own
MOST_GRAPHS = 40


def layer_bars(axis: Any, weight_L: Sequence[float] | np.ndarray, first: int, deviation_L: Sequence[float] | None = None) -> None:
    """A bar a layer with its sign: blue above zero, red below, as in the matrices. first: the number of the first layer."""
    layers = range(first, first + len(weight_L))
    colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in weight_L]
    axis.bar(layers, weight_L, yerr=deviation_L, color=colours, capsize=3)
    axis.axhline(0, color=COLOURS[-1], linewidth=0.8)
    axis.set_xticks(layers[:: max(1, len(layers) // 12)])
    axis.set_xlabel(layer_words(first))


def layer_words(first: int) -> str:
    """What the layers are, for an axis that begins with this one."""
    return "layer (0: embedded input)" if first == 0 else f"layer ({first}: first convolution)"


def layer_figure(mean: list[float], deviation: list[float], first: int = 0, between: str = "graphs") -> bytes:
    """The mean weight of each layer, PNG, with the deviation between graphs or nodes."""
    with style() as Figure:
        figure = Figure(figsize=(2.0 + 0.5 * len(mean), 3.2))
        axis = figure.subplots()
        layer_bars(axis, mean, first, deviation)
        axis.set_ylabel(f"mean weight and its\ndeviation between {between}")
        return png(figure)


def class_layer_figure(mean_by_class: Mapping[str, np.ndarray], first: int = 0) -> bytes:
    """A row a class, a column a layer: the mean weight, red below zero and blue above."""
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
        image = axis.imshow(weight_RL, cmap="RdBu", vmin=-top, vmax=top, aspect="auto")
        figure.colorbar(image, ax=axis, label="weight")
        axis.set_xticks(range(layers), range(first, first + layers))
        axis.set_yticks(range(len(names)), names, size=8)
        axis.set_xlabel(layer_words(first))
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
            axis.set_xlabel(layer_words(first))
            axis.set_xticks(list(layers)[:: max(1, len(energy_L) // 10)])
        panels[0].set_ylim(bottom=0)
        panels[1].set_ylim(min(0.0, float(np.nan_to_num(cosine_L).min())), 1.02)
        panels[2].axhline(0, color=COLOURS[-1], linewidth=0.8)
        return png(figure)


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"...{name[-29:]}"
