"""Pictures of a tested readout."""

import numpy as np

from apps.base.draw import COLOURS, confusion, png, style

__all__ = ["confusion_figure", "layer_figure"]

MOST_CLASSES = 60  # above this a matrix has no readable cells


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


def confusion_figure(matrix: np.ndarray, classes: list[str]) -> bytes:
    """The matrix as PNG; of many classes the commonest."""
    kept = np.sort(np.argsort(-matrix.sum(1), kind="stable")[:MOST_CLASSES])
    return confusion(matrix[np.ix_(kept, kept)], [classes[i] for i in kept])
