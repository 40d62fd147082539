"""A detector of words given as an ONNX file: one with a probability map as DB has it, or one that answers boxes.

Input: one, float32 (1,3,H,W), RGB. Where its height and width are free, the picture is scaled so that its longer side is at most 1280
and both are multiples of 32; where they are fixed, it is scaled to fit and padded below and to the right. Values are
(p / 255 - mean) / std with ImageNet's mean and std; the file's own metadata `mean` and `std` (three numbers with commas) say otherwise.

Output, the first one:
    (1,1,h,w), (1,h,w) or (h,w)  probability that a pixel is of a word, shrunk as DB trains it, at any fraction of the input's size:
                                 above 0.3 it is one, a region's mean must be 0.6, and it is grown by 1.5 times area / outline
    (n,4), (n,5), (1,n,4), ...   x0, y0, x1, y1 in the input's pixels, and the score
    (n,8), (n,9), (1,n,8), ...   x1, y1, ..., x4, y4 clockwise from the top left, and the score
"""

import cv2
import numpy as np

from apps.base.errors import UserError
from apps.base.onnx_session import open_session, read_model, short
from apps.otsnet.photos.found import Found, without_doubles
from apps.otsnet.photos.order import reading_order
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["OnnxDetector", "map_boxes"]

LONGEST_SIDE, STEP = 1280, 32
PIXEL, REGION, GROW = 0.3, 0.6, 1.5  # of DB
LEAST_SIDE = 3.0  # pixels of the map
LEAST_SCORE = 0.3  # of a box


class OnnxDetector:
    """Call it with a picture, uint8 (H,W,3), to be told where the words are, in reading order."""

    def __init__(self, path: str, trusting: bool = False) -> None:
        self.path = path
        self._session = open_session(path, read_model(path, trusting, "detector"), "detector")
        inputs = self._session.get_inputs()
        self._name, (_, _, high, wide) = inputs[0].name, inputs[0].shape
        self._size = (wide, high) if isinstance(high, int) and isinstance(wide, int) else None
        self._mean, self._std = (self._numbers(key, default) for key, default in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)))

    def __call__(self, picture: np.ndarray) -> Found:
        x_1CHW, scale = self._prepared(picture)
        try:
            answer = np.asarray(self._session.run(None, {self._name: x_1CHW})[0])
        except Exception as error:
            raise UserError(
                f"{self.path}: does not take {list(x_1CHW.shape)} ({short(error)}); export it with free height and width"
            ) from None
        found = self._boxes(answer.astype(np.float32), x_1CHW.shape[2:])
        limit = np.array([picture.shape[1], picture.shape[0]], np.float32)
        found = without_doubles(Found(np.clip(found.boxes_N42 / scale, 0, limit).astype(np.float32), found.scores_N))
        return found.take(reading_order(found.boxes_N42))

    def _prepared(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the input, pixels of it for one of the picture along x and y)."""
        high, wide = picture.shape[:2]
        if self._size is None:
            by = min(1.0, LONGEST_SIDE / max(high, wide))
            size = tuple(max(STEP, round(side * by / STEP) * STEP) for side in (wide, high))
            canvas_size = size
        else:
            by = min(self._size[0] / wide, self._size[1] / high)
            size = (max(1, round(wide * by)), max(1, round(high * by)))
            canvas_size = self._size
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR)
        canvas = np.zeros((canvas_size[1], canvas_size[0], 3), np.uint8)
        canvas[: size[1], : size[0]] = small
        x = (canvas.astype(np.float32) / 255 - self._mean) / self._std
        return np.ascontiguousarray(x.transpose(2, 0, 1))[None], np.array([size[0] / wide, size[1] / high], np.float32)

    def _boxes(self, answer: np.ndarray, size: tuple[int, ...]) -> Found:
        if not np.isfinite(answer).all():
            raise UserError(f"{self.path}: its answer is not a number; another detector is needed")
        while answer.ndim > 2 and answer.shape[0] == 1:
            answer = answer[0]
        if answer.ndim == 2 and answer.shape[1] in (4, 5, 8, 9):
            return _listed(answer)
        if answer.ndim == 2 and min(answer.shape) > 9:
            found = map_boxes(answer)
            return Found(found.boxes_N42 * np.array([size[1] / answer.shape[1], size[0] / answer.shape[0]], np.float32), found.scores_N)
        raise UserError(f"{self.path}: answers {answer.shape}; a map (1,1,h,w) of probabilities, or boxes (n,5) or (n,9), is read")

    def _numbers(self, key: str, default: tuple[float, float, float]) -> np.ndarray:
        said = self._session.get_modelmeta().custom_metadata_map.get(key)
        if said is None:
            return np.array(default, np.float32)
        try:
            values = np.array([float(cell) for cell in said.strip("[]() ").split(",")], np.float32)
        except ValueError:
            values = np.zeros(0, np.float32)
        if values.shape != (3,) or not np.isfinite(values).all() or (key == "std" and values.min() <= 0):
            raise UserError(f"{self.path}: its metadata {key} is {said[:40]!r}, not three numbers; write it anew")
        return values


def _listed(answer: np.ndarray) -> Found:
    scores_N = answer[:, -1] if answer.shape[1] % 2 else np.ones(len(answer), np.float32)
    corners = answer[:, :-1] if answer.shape[1] % 2 else answer
    if corners.shape[1] == 4:
        corners = corners[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    found = Found(corners.reshape(-1, 4, 2), scores_N)
    sides = np.linalg.norm(found.boxes_N42 - np.roll(found.boxes_N42, -1, 1), axis=2)
    return found.take(np.flatnonzero((scores_N >= LEAST_SCORE) & (sides.min(1) >= 2)))


def map_boxes(probability_hw: np.ndarray) -> Found:
    """Boxes in pixels of the map: its regions, each as the smallest turned rectangle around it, grown back to the word's size."""
    mask = (probability_hw > PIXEL).astype(np.uint8)
    boxes, scores = [], []
    for outline in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        (x, y), (wide, high), angle = cv2.minAreaRect(outline)
        wide, high = wide + 1, high + 1  # an outline runs through the middles of its pixels
        if min(wide, high) < LEAST_SIDE:
            continue
        score = _mean_inside(probability_hw, outline)
        if score < REGION:
            continue
        by = GROW * wide * high / (2 * (wide + high))
        boxes.append(_clockwise(cv2.boxPoints(((x + 0.5, y + 0.5), (wide + 2 * by, high + 2 * by), angle))))
        scores.append(score)
    return Found(np.array(boxes, np.float32).reshape(-1, 4, 2), np.array(scores, np.float32))


def _mean_inside(probability_hw: np.ndarray, outline: np.ndarray) -> float:
    x, y, wide, high = cv2.boundingRect(outline)
    inside = np.zeros((high, wide), np.uint8)
    cv2.drawContours(inside, [outline], 0, 1, -1, offset=(-x, -y))
    return float(cv2.mean(probability_hw[y : y + high, x : x + wide], inside)[0])


def _clockwise(corners_42: np.ndarray) -> np.ndarray:
    """From the top left: of the four turns the one whose upper side points most to the right. Upright words are read from their top."""
    corners_42 = corners_42[::-1] if cv2.contourArea(corners_42.astype(np.float32), True) < 0 else corners_42
    sides = np.roll(corners_42, -1, 0) - corners_42
    long = np.linalg.norm(sides, axis=1)
    # ours: a word is wider than high unless it is nearly a square
    worth = sides[:, 0] / np.maximum(long, 1e-6) * np.where(long >= 0.8 * long.max(), 1.0, 0.5)
    return np.roll(corners_42, -int(np.argmax(worth)), 0)
