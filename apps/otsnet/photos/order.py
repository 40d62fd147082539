"""The order in which words are read: line by line from the top, and in a line from the left."""

import numpy as np

__all__ = ["reading_order"]

ALIKE = 0.5  # share of the lower one's height that words of one line have in common


def reading_order(boxes_N42: np.ndarray) -> np.ndarray:
    """Rows of the boxes (int64) in reading order. Lines may slope: a word is compared with the last one of every line begun.

    Columns are not told apart.
    """
    middle = boxes_N42.mean(1)
    half = np.maximum(np.abs(boxes_N42[:, [3, 2], 1] - boxes_N42[:, [0, 1], 1]).mean(1) / 2, 0.5)
    lines: list[list[int]] = []
    for row in np.argsort(middle[:, 0], kind="stable").tolist():
        best, nearest = None, np.inf
        for line in lines:
            last = line[-1]
            expected = _expected(boxes_N42[last], middle[row, 0])
            shared = min(expected + half[last], middle[row, 1] + half[row]) - max(expected - half[last], middle[row, 1] - half[row])
            away = abs(expected - middle[row, 1])
            if shared >= ALIKE * 2 * min(half[last], half[row]) and away < nearest:
                best, nearest = line, away
        if best is None:
            lines.append([row])
        else:
            best.append(row)
    lines.sort(key=lambda line: float(np.mean(middle[line, 1])))
    return np.array([row for line in lines for row in line], np.int64)


def _expected(box_42: np.ndarray, x: float) -> float:
    """How far down the line of a word is at x."""
    left, right = (box_42[0] + box_42[3]) / 2, (box_42[1] + box_42[2]) / 2
    slope = (right[1] - left[1]) / max(right[0] - left[0], 1e-3)
    # the slope of a short word says little about what is far away
    return float(right[1] + np.clip(slope, -0.3, 0.3) * (x - right[0]))
