"""The built-in detector, for clean documents and signs: no model, no weights, only letters that stand in lines.

What it does not see: upright columns of letters, words turned by more than about 20 degrees, outlined letters on busy ground.
"""

import cv2
import numpy as np

from apps.otsnet.photos.found import Found, without_doubles
from apps.otsnet.photos.letters import LARGEST, letters_of
from apps.otsnet.photos.lines import words_of
from apps.otsnet.photos.order import reading_order

__all__ = ["find"]

LONGEST_SIDE = 2400  # pixels; a larger picture is looked at so
LEAST_SCORE = 0.45
COARSER = 0.97  # each coarser look counts a little less: where two see a word, the finer one's box is the better one


def find(picture: np.ndarray, least: float = LEAST_SCORE) -> Found:
    """The words of a uint8 (H,W,3) picture in reading order, surest of being writing 1.

    >>> boxes_N42, scores_N = find(read_picture("menu.png"))
    """
    high, wide = picture.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(high, wide))
    boxes, scores, weight = [], [], 1.0
    while min(high, wide) * scale >= 12 and max(high, wide) * scale >= 24:
        size = (max(1, round(wide * scale)), max(1, round(high * scale)))
        looked = picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        for dark in (True, False):
            for word in words_of(letters_of(looked, dark)):
                boxes.append(word.quad_42 * np.array([wide / size[0], high / size[1]], np.float32))
                scores.append(word.score * weight)
        if max(size) <= 3 * LARGEST:  # one more would see letters as large as the picture
            break
        scale, weight = scale / 2, weight * COARSER
    if not boxes:
        return Found(np.zeros((0, 4, 2), np.float32), np.zeros(0, np.float32))
    found = Found(np.stack(boxes), np.array(scores, np.float32))
    found = without_doubles(found.take(np.flatnonzero(found.scores_N >= least)))
    return found.take(reading_order(found.boxes_N42))
