"""From letters to words: neighbours that look alike are a line, and wide gaps part its words.

Shapes: C pieces of ink, P pairs, W words of a line, 4 corners.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from apps.otsnet.photos.letters import Pieces

__all__ = ["Word", "words_of"]

REACH = 1.1  # heights, from one letter to the next of a line
UNLIKE = 2.6  # times, heights of neighbours
PEN = 2.4  # times, widths of their strokes
COLOUR = 48.0  # of 255, mean difference
GAP = 0.42  # heights: where a line's gaps are all alike, a wider one parts words
STEEPEST = 0.4  # slope of a line


class Word(NamedTuple):
    quad_42: np.ndarray
    score: float


def words_of(pieces: Pieces) -> list[Word]:
    rows = np.flatnonzero(pieces.letter_C)
    if not len(rows):
        return []
    letters = pieces.take(rows)
    line_C = _lines(letters)
    specks = pieces.take(np.flatnonzero(~pieces.letter_C))
    found: list[Word] = []
    order = np.argsort(line_C, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(line_C[order])) + 1):
        found += _words(letters.take(members), specks)
    return found


def _lines(letters: Pieces) -> np.ndarray:
    """The number of the line that each letter is of."""
    one_P, two_P = _neighbours(letters)
    count = len(letters.ink_C)
    links = coo_array((np.ones(len(one_P), np.int8), (one_P, two_P)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _neighbours(letters: Pieces) -> tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = letters.box_C4.T
    high = y1 - y0
    order = np.argsort(x0, kind="stable")
    first = np.searchsorted(x0[order], x0[order], "left")
    last = np.searchsorted(x0[order], (x1 + REACH * UNLIKE * high)[order], "right")
    counts = last - first
    one_P = np.repeat(order, counts)
    two_P = order[np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)]
    apart = one_P != two_P
    one_P, two_P = one_P[apart], two_P[apart]
    tall, low = np.maximum(high[one_P], high[two_P]), np.minimum(high[one_P], high[two_P])
    gap = x0[two_P] - x1[one_P]
    shared = np.minimum(y1[one_P], y1[two_P]) - np.maximum(y0[one_P], y0[two_P])
    pen1, pen2 = np.maximum(letters.stroke_C[one_P], 1), np.maximum(letters.stroke_C[two_P], 1)
    unlike = np.abs(letters.colour_C3[one_P] - letters.colour_C3[two_P]).mean(1)
    alike = (
        (gap <= REACH * (tall + low) / 2)
        & (gap >= -0.6 * low)
        & (shared >= 0.5 * low)
        & (tall <= UNLIKE * low)
        & (np.maximum(pen1, pen2) <= PEN * np.minimum(pen1, pen2))
        & (unlike <= np.minimum(COLOUR, 0.6 * np.minimum(letters.contrast_C[one_P], letters.contrast_C[two_P]) + 12))
    )
    return one_P[alike], two_P[alike]


def _words(line: Pieces, specks: Pieces) -> list[Word]:
    slope = _slope(line.box_C4)
    length = np.hypot(1.0, slope)
    along, down = np.array([1.0, slope]) / length, np.array([-slope, 1.0]) / length
    box_C4 = _turned(line.box_C4, along, down)
    height = float(np.median(box_C4[:, 3] - box_C4[:, 1]))
    speck_C4 = _turned(specks.box_C4, along, down)
    speck_C4 = speck_C4[_among(box_C4, height, speck_C4)]
    within = _within(box_C4, speck_C4)
    above_C4 = speck_C4[within]
    box_C4 = np.concatenate([box_C4, speck_C4[~within]])
    box_C4 = box_C4[np.argsort(box_C4[:, 0], kind="stable")]
    gap = _gaps(box_C4, _lean(line)) / height
    parts = np.split(box_C4, np.flatnonzero(gap > _between(gap)) + 1)
    score = _evidence(line)
    found = []
    for part_C4 in parts:
        inside = (above_C4[:, [0, 2]].mean(1) >= part_C4[:, 0].min()) & (above_C4[:, [0, 2]].mean(1) <= part_C4[:, 2].max())
        part_C4 = np.concatenate([part_C4, above_C4[inside]])
        x0, y0, x1, y1 = *part_C4[:, :2].min(0), *part_C4[:, 2:].max(0)
        if y1 - y0 < 0.5 * height:  # a dash or dots alone
            continue
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        found.append(Word((corners[:, :1] * along + corners[:, 1:] * down).astype(np.float32), score))
    return found


def _within(box_C4: np.ndarray, speck_C4: np.ndarray) -> np.ndarray:
    """Which specks stand over or under a letter, like the dot of an i: they part nothing."""
    shared = np.minimum(speck_C4[:, None, 2], box_C4[None, :, 2]) - np.maximum(speck_C4[:, None, 0], box_C4[None, :, 0])
    return np.any(shared > 0.5 * (speck_C4[:, 2] - speck_C4[:, 0])[:, None], axis=1)


def _lean(line: Pieces) -> float:
    """Of italics: how much narrower letters are than the upright boxes around them, for each pixel of height."""
    lean = np.abs(float(np.median(line.lean_C))) if len(line.lean_C) > 1 else 0.0
    return lean if 0.08 < lean < 0.6 else 0.0


def _gaps(box_C4: np.ndarray, lean: float) -> np.ndarray:
    """Pixels from where all letters before end to where each next one begins."""
    narrower = np.minimum(0.4 * lean * (box_C4[:, 3] - box_C4[:, 1]), 0.35 * (box_C4[:, 2] - box_C4[:, 0]))
    begins, ends = box_C4[:, 0] + narrower, np.maximum.accumulate(box_C4[:, 2] - narrower)
    return np.maximum(begins[1:] - ends[:-1], 0)


def _among(box_C4: np.ndarray, height: float, speck_C4: np.ndarray) -> np.ndarray:
    """Which specks are dots, accents, commas and dashes of the line: close to a letter of it."""
    size = speck_C4[:, 2:] - speck_C4[:, :2]
    around = np.array([*box_C4[:, :2].min(0), *box_C4[:, 2:].max(0)])
    reach = np.array([0.7, 0.4, 0.7, 0.3]) * height
    middle = (speck_C4[:, :2] + speck_C4[:, 2:]) / 2
    near = np.all((middle >= around[:2] - reach[:2]) & (middle <= around[2:] + reach[2:]), axis=1)
    near = near & (size.max(1) <= 0.9 * height) & (size.max(1) >= 0.09 * height)
    for row in np.flatnonzero(near):
        apart = np.maximum(box_C4[:, 0] - speck_C4[row, 2], speck_C4[row, 0] - box_C4[:, 2])
        close = box_C4[apart <= 0.7 * height]
        near[row] = len(close) and close[:, 1].min() - reach[1] <= middle[row, 1] <= close[:, 3].max() + reach[3]
    return near


def _slope(box_C4: np.ndarray) -> float:
    """The weighted median slope between bottoms and between tops of letters."""
    if len(box_C4) < 3:
        return 0.0
    x = (box_C4[:, 0] + box_C4[:, 2]) / 2
    rows = np.linspace(0, len(x) - 1, min(len(x), 60)).round().astype(int)  # pairs of more tell no more
    x, edges = x[rows], (box_C4[rows, 3], box_C4[rows, 1])
    i, j = np.triu_indices(len(x), 1)
    across = x[j] - x[i]
    far = np.abs(across) > 0.25 * np.ptp(x)
    across = across[far]
    if not len(across):
        return 0.0
    slopes = np.concatenate([(edge[j] - edge[i])[far] / across for edge in edges])
    weight = np.tile(np.abs(across), 2)
    order = np.argsort(slopes, kind="stable")
    middle = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    slope = float(slopes[order][middle])
    return slope if abs(slope) <= STEEPEST else 0.0


def _turned(box_C4: np.ndarray, along: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Upright boxes in the frame of the line: the box's own size about its turned middle."""
    middle = (box_C4[:, :2] + box_C4[:, 2:]) / 2
    half = (box_C4[:, 2:] - box_C4[:, :2]) / 2
    # an upright box around a letter of a sloping line is larger than the letter by about the slope times its other side
    lean = abs(along[1])
    half = np.maximum(half - lean * half[:, ::-1] * 0.5, 0.4 * half)
    turned = np.stack([middle @ along, middle @ down], 1)
    return np.concatenate([turned - half, turned + half], 1)


def _between(gap: np.ndarray) -> float:
    """The gap, in heights, above which a new word begins: between the two kinds of gaps, if there are two."""
    if len(gap) < 2:
        return GAP
    ordered = np.sort(gap)
    n = np.arange(1, len(ordered))
    low, high = np.cumsum(ordered)[:-1] / n, np.cumsum(ordered[::-1])[::-1][1:] / n[::-1]
    split = int(np.argmax(n * n[::-1] * (high - low) ** 2))
    few = 0.5 / len(gap)  # gaps may be unequal by chance
    if high[split] - low[split] > 0.2 + few and high[split] > 0.25 + few and high[split] > 2.2 * low[split]:
        return float((ordered[split] + ordered[split + 1]) / 2)
    return max(GAP, float(np.median(gap)) + 0.3)


def _evidence(line: Pieces) -> float:
    """0..1, how much a line is like writing: several letters of one pen and one colour, clear of their ground."""
    count = len(line.ink_C)
    wide, high = line.box_C4[:, 2] - line.box_C4[:, 0], line.box_C4[:, 3] - line.box_C4[:, 1]
    letters = float(np.clip(wide / np.maximum(high, 1), 1.0, 6.0).sum() - count) * 0.5 + count  # touching ones count, too
    pen = float(np.std(line.stroke_C) / max(1.0, float(np.mean(line.stroke_C))))
    clear = float(np.clip(np.median(line.contrast_C) / 40, 0, 1))
    return float((1 - np.exp(-letters / 2.2)) * (0.4 + 0.6 * clear) * np.exp(-pen))
