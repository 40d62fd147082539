"""Training augmentation of frames of polyps: turns, mirrors, colours. It never rescales: a zoom would change what a box means in mm.
Where an area is learned, zoom.py does.
"""

import cv2
import numpy as np

from datamodules.errors import DataError

__all__ = ["FrameAugment"]


class FrameAugment:
    """`augment(image, box, planes, rng)` -> the three of them, of the same sizes, all randomness from the generator.

    turn: degrees, to either side
    shift: share of the frame, to any side; a turn and shift that would push the box out of the frame are left out
    flip: chance of mirroring
    topple: whether also upside down and about the diagonal, each with the same chance: with the mirror, all quarter turns, exactly
    jitter: how far brightness, contrast and saturation change; the hue by a twentieth of that
    blur: largest spread in pixels
    noise: largest standard deviation, on a 0..1 scale
    """

    def __init__(
        self,
        turn: float = 30.0,
        shift: float = 0.0,
        flip: float = 0.5,
        topple: bool = True,
        jitter: float = 0.15,
        blur: float = 0.0,
        noise: float = 0.01,
    ):
        if (
            not 0 <= turn <= 180
            or not 0 <= shift <= 0.5
            or not 0 <= flip <= 1
            or not 0 <= jitter <= 1
            or not 0 <= blur <= 10
            or not 0 <= noise <= 1
        ):
            raise DataError(
                f"augmentation: turn {turn} lies in 0..180 degrees, shift {shift} in 0..0.5, "
                f"flip {flip}, jitter {jitter} and noise {noise} in 0..1, blur {blur} in 0..10 pixels"
            )
        self.turn, self.shift, self.flip, self.topple = turn, shift, flip, topple
        self.jitter, self.blur, self.noise = jitter, blur, noise

    def __call__(
        self, image: np.ndarray, box: np.ndarray | None, planes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """image: uint8 (H,W,3). box: four pixels, or None. planes: float32 (P,H,W)."""
        across, along, aslant, soft, loud = rng.random(5)
        angle, aside, down, *colours = rng.uniform(-1, 1, 7)
        if across < self.flip:
            image, box, planes = _mirror(image, box, planes)
        if self.topple and along < self.flip:
            image, box, planes = _topple(image, box, planes)
        if self.topple and aslant < self.flip:
            image, box, planes = _transpose(image, box, planes)
        if self.turn or self.shift:
            side = max(image.shape[:2])
            image, box, planes = _move(image, box, planes, self.turn * angle, self.shift * side * np.array([aside, down]))
        if self.jitter:
            image = _recolour(image, self.jitter * np.array(colours))
        if self.blur and soft * self.blur > 0.2:
            image = cv2.GaussianBlur(image, (0, 0), soft * self.blur)
        if self.noise:
            spread = rng.standard_normal(image.shape, np.float32) * np.float32(255 * self.noise * loud)
            image = _where_lit(image, cv2.add(np.ascontiguousarray(image), spread, dtype=cv2.CV_8U))
        return np.ascontiguousarray(image), box, np.ascontiguousarray(planes)


Moved = tuple[np.ndarray, np.ndarray | None, np.ndarray]


def _mirror(image: np.ndarray, box: np.ndarray | None, planes: np.ndarray) -> Moved:
    width = image.shape[1]
    moved = None if box is None else np.array([width - box[2], box[1], width - box[0], box[3]])
    return image[:, ::-1], moved, planes[:, :, ::-1]


def _topple(image: np.ndarray, box: np.ndarray | None, planes: np.ndarray) -> Moved:
    height = image.shape[0]
    moved = None if box is None else np.array([box[0], height - box[3], box[2], height - box[1]])
    return image[::-1], moved, planes[:, ::-1]


def _transpose(image: np.ndarray, box: np.ndarray | None, planes: np.ndarray) -> Moved:
    moved = None if box is None else box[[1, 0, 3, 2]]
    return image.transpose(1, 0, 2), moved, planes.transpose(0, 2, 1)


def _move(image: np.ndarray, box: np.ndarray | None, planes: np.ndarray, degrees: float, pixels: np.ndarray) -> Moved:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += pixels
    if box is not None:
        turned = _turned_box(box, matrix)
        if min(turned[:2]) < 0 or turned[2] > width or turned[3] > height:
            return image, box, planes
        box = turned
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height), flags=cv2.INTER_LINEAR)
    if len(planes):
        border = cv2.BORDER_REPLICATE  # a plane has no black beside it
        planes = np.stack(
            [cv2.warpAffine(np.ascontiguousarray(p), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border) for p in planes]
        )
    return image, box, planes


def _turned_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The box round the turned ellipse that fills the box. ours: the box round the turned corners would make every polyp larger."""
    middle, half = (box[:2] + box[2:]) / 2 - 0.5, (box[2:] - box[:2]) / 2  # pixel 0 lies at 0.5
    moved = matrix[:, :2] @ middle + matrix[:, 2] + 0.5
    reach = np.sqrt((matrix[:, :2] ** 2) @ (half**2))
    return np.concatenate([moved - reach, moved + reach])


def _recolour(image: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Brightness, contrast about the mean, saturation about grey and tint: together one matrix and one number."""
    brightness, contrast, saturation, hue = amounts
    image = np.ascontiguousarray(image)
    mean = np.mean(cv2.mean(image, _lit(image))[:3])
    tint = np.array([1 + hue / 20, 1.0, 1 - hue / 20])
    colour = (1 + saturation) * np.eye(3) - saturation / 3
    matrix = tint[:, None] * np.column_stack([colour * (1 + brightness) * (1 + contrast), np.full(3, -contrast * (1 + brightness) * mean)])
    return _where_lit(image, cv2.transform(image, matrix))


def _lit(image: np.ndarray) -> np.ndarray:
    return cv2.threshold(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 3, 255, cv2.THRESH_BINARY)[1]


def _where_lit(image: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """What is black beside the field of view stays so."""
    return cv2.copyTo(changed, _lit(np.ascontiguousarray(image)), image.copy())
