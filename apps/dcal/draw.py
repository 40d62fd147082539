"""Pictures of a tested classifier: the confusion matrix, and the pairs of classes that it confuses most."""

from collections.abc import Callable
from textwrap import wrap

import numpy as np

from apps.base.draw import COLOURS, png, style

__all__ = ["confused_figure", "worst_pairs", "worst_pairs_figure"]

WORST = 20
SHOWN = 5  # pairs with pictures


def worst_pairs(matrix: np.ndarray, classes: list[str], most: int = WORST) -> list[tuple[str, str, int, float]]:
    """(true class, answered class, pictures, share of the true class), the commonest confusion first."""
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    rows = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, off.shape), strict=True) if off[i, j]]
    return [(classes[i], classes[j], int(off[i, j]), float(off[i, j] / matrix[i].sum())) for i, j in rows]


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


def confused_figure(labels: np.ndarray, answers: np.ndarray, classes: list[str], picture: Callable[[int], np.ndarray]) -> bytes | None:
    """The worst pairs side by side: a mistaken picture, a right one of its own class, and a right one of the class that it was taken for.

    labels, answers: class numbers by picture of the split; `picture` gives one by its place, uint8 (H,W,3). None where nothing is confused.
    """
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (labels, answers), 1)
    pairs = [(classes.index(true), classes.index(said), count) for true, said, count, _ in worst_pairs(matrix, classes, SHOWN)]
    if not pairs:
        return None
    with style() as Figure:
        figure = Figure(figsize=(6.6, 2.4 * len(pairs)))
        for line, (true, said, count) in zip(figure.subplots(len(pairs), 3, squeeze=False), pairs, strict=True):
            places = (
                _first(labels == true, answers == said),
                _first(labels == true, answers == true),
                _first(labels == said, answers == said),
            )
            words = (f"{classes[true]}, taken for {classes[said]} ({count})", classes[true], classes[said])
            for axis, place, word, colour in zip(line, places, words, (COLOURS[1], COLOURS[0], COLOURS[0]), strict=True):
                axis.set_axis_off()
                known = word if colour == COLOURS[1] else f"{word} ({'none ' if place is None else ''}told right)"
                axis.set_title("\n".join(wrap(known, 32)), size=8, color=colour)
                if place is not None:
                    image = picture(place)
                    axis.imshow(image, interpolation="nearest" if max(image.shape[:2]) < 128 else None)
        return png(figure)


def _first(*conditions: np.ndarray) -> int | None:
    found = np.flatnonzero(np.logical_and.reduce(conditions))
    return int(found[0]) if len(found) else None
