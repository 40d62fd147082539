"""YuNet from a user's ONNX file, by OpenCV alone: a box and five points.

Its answers are read here and not by OpenCV's FaceDetectorYN, which ends the whole process where a file answers other sizes.
(Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023)
"""

from pathlib import Path

import cv2
import numpy as np

from apps.ahan.faces.canvas import canvas
from apps.ahan.faces.face import Face
from apps.ahan.faces.overlap import surest
from apps.base.errors import UserError
from apps.base.onnx_session import short

__all__ = ["Yunet", "decode", "is_yunet"]

STRIDES = (8, 16, 32)
ANSWERS = [f"{name}_{stride}" for stride in STRIDES for name in ("cls", "obj", "bbox", "kps")]


def is_yunet(data: bytes) -> bool:
    """The names of its answers lie in the file as they are; to ask OpenCV would be to load it."""
    return all(name.encode() in data for name in ANSWERS)


class Yunet:
    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.name = path, f"yunet ({Path(path).name})"
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        except cv2.error as error:
            raise UserError(f"{path}: OpenCV {cv2.__version__} cannot load it as YuNet ({short(error)}); fetch it again") from None

    def detect(self, image: np.ndarray) -> list[Face]:
        picture, by = canvas(image, None)
        size = (picture.shape[1], picture.shape[0])
        self._net.setInput(cv2.dnn.blobFromImage(picture, swapRB=True))  # blue first, 0 to 255
        try:
            answers = dict(zip(ANSWERS, self._net.forward(ANSWERS), strict=True))
            boxes, scores, points = decode(answers, size)
        except (cv2.error, ValueError) as error:
            raise UserError(f"{self.path}: cannot answer {size[0]} x {size[1]} pixels ({short(error)}); name another file") from None
        return surest((boxes + 0.5) / by - 0.5, scores, (points + 0.5) / by - 0.5)


def decode(answers: dict[str, np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(boxes (N,4), scores (N,), points (N,5,2)) in pixels of the input of this (width, height), whose sides strides divide.

    All is counted in strides from the place's own corner; sides are powers of e.
    """
    boxes, scores, points = [], [], []
    for stride in STRIDES:
        columns, rows = size[0] // stride, size[1] // stride
        found = {name: answers[f"{name}_{stride}"] for name in ("cls", "obj", "bbox", "kps")}
        widths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
        if wrong := [name for name, value in found.items() if value.size != columns * rows * widths[name]]:
            raise ValueError(f"{wrong[0]}_{stride} has {found[wrong[0]].size} numbers, not {columns * rows * widths[wrong[0]]}")
        y, x = np.mgrid[:rows, :columns]
        corner = np.stack([x, y], 2).reshape(-1, 2).astype(np.float64)
        box, place = found["bbox"].reshape(-1, 4), found["kps"].reshape(-1, 5, 2)
        centre, side = (corner + box[:, :2]) * stride, np.exp(np.clip(box[:, 2:], None, 20)) * stride
        boxes.append(np.concatenate([centre - side / 2, centre + side / 2], 1))
        scores.append(np.sqrt(found["cls"].ravel().clip(0, 1) * found["obj"].ravel().clip(0, 1)))
        points.append((corner[:, None] + place) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
