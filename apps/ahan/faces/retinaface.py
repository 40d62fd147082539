"""RetinaFace's answers to boxes: how each of its anchors is to be moved and grown, and where the five points lie by it.

(Deng et al., RetinaFace, CVPR 2020; anchors and variances of its widespread PyTorch form.)
"""

import numpy as np

__all__ = ["MEAN", "decode", "is_retinaface"]

MEAN = (104.0, 117.0, 123.0)  # of BGR, which it takes
ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # stride, sides in pixels
VARIANCE = (0.1, 0.2)  # of places, of sizes


def is_retinaface(shapes: list[tuple[int, ...]]) -> bool:
    """One answer each: boxes (1,N,4), classes (1,N,2), points (1,N,10)."""
    return sorted(shape[-1] if shape else 0 for shape in shapes) == [2, 4, 10]


def decode(answers: list[np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(boxes (N,4), scores (N,), points (N,5,2)) in pixels of the input of this (width, height)."""
    by_width = {answer.shape[-1]: answer.reshape(-1, answer.shape[-1]).astype(np.float64) for answer in answers}
    place, classes, away = by_width[4], by_width[2], by_width[10]
    prior = anchors(size)
    if not len(place) == len(classes) == len(away) == len(prior):
        raise ValueError(f"{len(place)} places, where {len(prior)} anchors are expected")
    if classes.min() < 0 or abs(classes.sum(1) - 1).max() > 1e-2:  # logits, of files that stop before the softmax
        classes = np.exp(classes - classes.max(1, keepdims=True))
        classes /= classes.sum(1, keepdims=True)
    centre = prior[:, :2] + place[:, :2] * VARIANCE[0] * prior[:, 2:]
    side = prior[:, 2:] * np.exp(np.clip(place[:, 2:] * VARIANCE[1], None, 20))
    points = prior[:, None, :2] + away.reshape(-1, 5, 2) * VARIANCE[0] * prior[:, None, 2:]
    return np.concatenate([centre - side / 2, centre + side / 2], 1), classes[:, 1], points


def anchors(size: tuple[int, int]) -> np.ndarray:
    """(N,4): centre and sides in pixels, map by map, row by row, the sides of a place one after the other."""
    found = []
    for stride, sides in ANCHORS:
        columns, rows = -(-size[0] // stride), -(-size[1] // stride)
        y, x = np.mgrid[:rows, :columns]
        centre = (np.stack([x, y], 2).reshape(-1, 1, 2) + 0.5) * stride
        both = np.broadcast_to(np.array(sides, np.float64)[None, :, None], (len(centre), len(sides), 2))
        found.append(np.concatenate([np.broadcast_to(centre, both.shape), both], 2).reshape(-1, 4))
    return np.concatenate(found)
