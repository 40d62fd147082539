"""Which characters are taken for which: over all tested words, each answer laid beside its truth."""

from collections import Counter

import numpy as np

from apps.base.draw import COLOURS, GREY, confusion, png, style
from apps.otsnet.draw_slots import shown
from apps.otsnet.metrics.aligned import NOTHING

__all__ = ["letters_figure", "pairs_figure"]

WORST = 24
MARK = "none"  # in the matrix: left out, or added
LETTERS = 29  # of a matrix: with what is left out and added 30, and more get no names


def pairs_figure(pairs: Counter[tuple[str, str]]) -> bytes:
    """The commonest mistakes as bars, each as a share of how often the character is there."""
    there = _there(pairs)
    wrong = [(pair, count) for pair, count in pairs.items() if pair[0] != pair[1]]
    wrong = sorted(wrong, key=lambda item: (-item[1], item[0]))[:WORST][::-1]
    with style() as Figure:
        figure = Figure(figsize=(7, 1.3 + 0.25 * len(wrong)))
        axis = figure.subplots()
        names = [_said(true, read) for (true, read), _ in wrong]
        axis.barh(range(len(wrong)), [count for _, count in wrong], color=[GREY if NOTHING in pair else COLOURS[1] for pair, _ in wrong])
        axis.set_yticks(range(len(wrong)), names, size=9)
        for place, ((true, _), count) in enumerate(wrong):
            if true != NOTHING:
                axis.text(count, place, f" {count / there[true]:.1%} of {there[true]}", va="center", size=7, color=GREY)
        axis.set_xlabel("times; grey: left out or added")
        axis.set_title("characters mistaken most" if wrong else "no character is mistaken")
        if not wrong:
            axis.set_axis_off()
        return png(figure)


def letters_figure(pairs: Counter[tuple[str, str]]) -> bytes | None:
    """The confusion matrix of those characters that are mistaken most, with what is left out and added. None of no words."""
    there = _there(pairs)
    if not there:
        return None
    missed = Counter[str]()
    for (true, read), count in pairs.items():
        if true != read:
            missed.update({true: count, read: count})
    worth = sorted((c for c in {*there, *missed} if c != NOTHING), key=lambda c: (-missed[c], -there[c], c))[:LETTERS]
    names = [*sorted(worth), NOTHING]
    matrix = np.array([[pairs[true, read] for read in names] for true in names], np.int64)
    return confusion(matrix, [shown(name) if name else MARK for name in names])


def _there(pairs: Counter[tuple[str, str]]) -> Counter[str]:
    counts = Counter[str]()
    for (true, _), count in pairs.items():
        if true != NOTHING:
            counts[true] += count
    return counts


def _said(true: str, read: str) -> str:
    if read == NOTHING:
        return f"{shown(true)} left out"
    return f"{shown(read)} added" if true == NOTHING else f"{shown(true)} as {shown(read)}"
