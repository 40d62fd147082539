"""SCRFD's answers to boxes: at every place of three or five maps, the distances to a face's sides and to its five points.

An anchor is a place of a map, counted in the picture's pixels; distances are in strides. (Guo et al., Sample and Computation
Redistribution for Efficient Face Detection, 2021)
"""

import numpy as np

__all__ = ["MEAN", "STD", "decode", "is_scrfd"]

MEAN, STD = (127.5, 127.5, 127.5), 128.0  # of RGB
STRIDES = (8, 16, 32, 64, 128)


def is_scrfd(shapes: list[tuple[int, ...]]) -> bool:
    """Of each map scores (..., 1) and boxes (..., 4), and in most files points (..., 10)."""
    widths = sorted(shape[-1] if shape else 0 for shape in shapes)
    maps = widths.count(1)
    return maps in (3, 5) and widths in ([1] * maps + [4] * maps, [1] * maps + [4] * maps + [10] * maps)


def decode(answers: list[np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(boxes (N,4), scores (N,), points (N,5,2) or nothing) in pixels of the input of this (width, height).

    A map of a small stride has more places than one of a large stride, which is how the answers are told apart.
    """
    by_width = {
        width: sorted((a.reshape(-1, width) for a in answers if a.shape[-1] == width), key=lambda a: -len(a)) for width in (1, 4, 10)
    }
    boxes, scores, points = [], [], []
    for level, stride in enumerate(STRIDES[: len(by_width[1])]):
        score, away = by_width[1][level], by_width[4][level]
        columns, rows = -(-size[0] // stride), -(-size[1] // stride)
        anchors, rest = divmod(len(score), columns * rows)
        if rest or not anchors or len(away) != len(score) or (by_width[10] and len(by_width[10][level]) != len(score)):
            raise ValueError(f"{len(score)} places at stride {stride}, where {columns} x {rows} are expected")
        y, x = np.mgrid[:rows, :columns]
        centre = np.repeat(np.stack([x, y], 2).reshape(-1, 2), anchors, 0) * float(stride)
        boxes.append(np.concatenate([centre - away[:, :2] * stride, centre + away[:, 2:] * stride], 1))
        scores.append(score[:, 0])
        if by_width[10]:
            points.append(centre[:, None] + by_width[10][level].reshape(-1, 5, 2) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points) if points else None
