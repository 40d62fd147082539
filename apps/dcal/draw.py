"""Pictures of a tested classifier: the confusion matrix, and the pairs of classes that it confuses most."""

import numpy as np

from apps.base.draw import COLOURS, confusion, png, style

__all__ = ["confusion_figure", "worst_pairs", "worst_pairs_figure"]

MOST_CLASSES = 60  # above this a matrix has no readable cells
WORST = 20


def worst_pairs(matrix: np.ndarray, classes: list[str], most: int = WORST) -> list[tuple[str, str, int, float]]:
    """(true class, answered class, pictures, share of the true class), the commonest confusion first."""
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    rows = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, off.shape), strict=True) if off[i, j]]
    return [(classes[i], classes[j], int(off[i, j]), float(off[i, j] / matrix[i].sum())) for i, j in rows]


def confusion_figure(matrix: np.ndarray, classes: list[str]) -> bytes:
    """The matrix as PNG; of many classes those that are confused most."""
    if len(classes) > MOST_CLASSES:
        wrong = matrix.sum(1) - np.diag(matrix)
        kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
        return confusion(matrix[np.ix_(kept, kept)], [classes[i] for i in kept])
    return confusion(matrix, classes)


def worst_pairs_figure(matrix: np.ndarray, classes: list[str]) -> bytes:
    """The commonest confusions as bars, PNG."""
    pairs = worst_pairs(matrix, classes)[::-1]
    with style() as Figure:
        figure = Figure(figsize=(7, 1.2 + 0.28 * len(pairs)))
        axis = figure.subplots()
        axis.barh([f"{true} as {said}" for true, said, _, _ in pairs], [share for *_, share in pairs], color=COLOURS[1])
        axis.set_xlabel("share of the true class")
        axis.set_xlim(0, 1)
        axis.set_title("confused most" if pairs else "nothing is confused")
        if not pairs:
            axis.set_axis_off()
        return png(figure)
