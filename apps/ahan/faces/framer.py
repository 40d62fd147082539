"""A photograph to one aligned face, or the reason why there is none: detect, choose, align, judge (sections 4.1 to 4.3)."""

import os
from typing import Any, NamedTuple

import numpy as np

from apps.ahan.faces.already import Already
from apps.ahan.faces.face import Detector, Face
from apps.ahan.faces.quality import PLACELESS, Quality, Thresholds, judge, luma, outside, turned
from datamodules.ahan.dataset import MAX_PIXELS
from datamodules.ahan.framing import whole
from datamodules.ahan.landmarks import region_boxes, template_boxes
from datamodules.ahan.template import BOX_SIDE, SIDE, TEMPLATE_52, AlignmentError, box_similarity, residual, similarity, warp
from datamodules.errors import DataError
from datamodules.pictures import decode, read_picture

__all__ = ["Framed", "Framer"]

EYES = float(np.linalg.norm(TEMPLATE_52[1] - TEMPLATE_52[0]))  # pixels between the eyes in the 112 frame


class Framed(NamedTuple):
    """face: uint8 (size,size,3), None where the quality says why not. points: where the five points lie in it, (5,2), if known.

    boxes: of the regions, float32 (R,4), for a model that reads them by landmarks; without points the template's, and `quality.fallback`
    says so.
    """

    face: np.ndarray | None
    quality: Quality
    points: np.ndarray | None = None
    boxes: np.ndarray | None = None


class Framer:
    """
    >>> framer = Framer(get_detector("auto"), size=112)
    >>> framed = framer("portrait.jpg")
    >>> framed.quality.reason or framed.face.shape

    size: of the frame, as the model takes it. boxed: also tell the boxes of the regions, by the face's own points. largest: of several
    faces take the largest. force: use a face in spite of the reason against it; where nothing can be framed there is none all the same.
    A picture that can be read never raises.
    """

    def __init__(
        self,
        detector: Detector,
        size: int,
        thresholds: Thresholds | None = None,
        largest: bool = False,
        force: bool = False,
        boxed: bool = False,
    ) -> None:
        self.detector, self.size, self.limits = detector, size, thresholds or Thresholds()
        self.largest, self.force, self.boxed = largest, force, boxed

    def __call__(self, source: str | os.PathLike[str] | bytes | np.ndarray, name: str = "picture") -> Framed:
        """source: a file, its bytes, or a picture that is read already, uint8 (H,W,3). name: of the bytes, where they cannot be read."""
        try:
            if isinstance(source, bytes):
                image = decode(source, name, max_pixels=MAX_PIXELS)
            else:
                image = source if isinstance(source, np.ndarray) else read_picture(source, max_pixels=MAX_PIXELS)
        except DataError as error:
            return self.unreadable(str(error))
        faces = self.detector.detect(image)
        if not faces:
            return self._failed("no_face", f"{self.detector.name} finds no face")
        found: dict[str, Any] = {"faces": len(faces), "box": faces[0].box, "score": faces[0].score}
        if isinstance(self.detector, Already):
            return self._whole(image, found)
        second = faces[1].side / faces[0].side if len(faces) > 1 else 0.0
        many = "" if self.largest or second < self.limits.many else f"{len(faces)} faces; crop to one, or take the largest"
        if many and not self.force:
            return self._failed("many_faces", many, **found)
        return self._framed(image, faces[0], many, found)

    def unreadable(self, detail: str) -> Framed:
        """Of a file that somebody else could not read."""
        return self._failed("unreadable", detail)

    def misplaced(self, detail: str) -> Framed:
        """Of a face whose points somebody else knew to be none."""
        return self._failed("bad_landmarks", detail)

    def _framed(self, image: np.ndarray, face: Face, many: str, found: dict[str, Any]) -> Framed:
        coarse = face.points is None
        try:
            matrix = box_similarity(face.box, self.size) if face.points is None else similarity(face.points, self.size)
        except AlignmentError as error:
            return self._failed("bad_landmarks", str(error), **found)
        measured = {"eye_distance": EYES / BOX_SIDE * face.side, "clipped": outside(image.shape, matrix, self.size)}
        if face.points is not None:
            measured["eye_distance"] = float(np.linalg.norm(face.points[1] - face.points[0]))
        points = None
        if face.points is not None and len(face.points) == len(TEMPLATE_52):  # two points always fit
            measured["residual"] = residual(face.points, matrix, self.size)
            measured["pose"] = turned(face.points)
            points = face.points @ matrix[:, :2].T + matrix[:, 2]
        framed = warp(image, matrix, self.size)
        by = SIDE / self.size
        small = framed if self.size == SIDE else warp(image, _resized(matrix, by), SIDE)
        reason, detail, warnings = judge(measured | luma(small), self.limits)
        if coarse:
            warnings = (*warnings, "coarse: no pair of eyes was found, the face is framed by its box alone")
        if many:
            reason, detail = "many_faces", many
        return self._answer(framed, points, reason, detail, warnings, **found, **measured, **luma(small), coarse=coarse)

    def _whole(self, image: np.ndarray, found: dict[str, Any]) -> Framed:
        high, wide = image.shape[:2]
        if high != wide:
            return self._failed("bad_landmarks", f"{wide} x {high} pixels: an aligned face is square; name a detector", **found)
        # ours: a picture of fewer pixels is judged as it is, because enlarging it would blur it
        measured = {"eye_distance": EYES / SIDE * wide, **luma(whole(image, min(SIDE, wide)))}
        reason, detail, warnings = judge(measured, self.limits, enlarged=False)
        return self._answer(whole(image, self.size), None, reason, detail, warnings, **found, **measured)

    def _answer(self, face: np.ndarray, points: np.ndarray | None, reason: str | None, detail: str, warnings: Any, **known: Any) -> Framed:
        forced = reason is not None and self.force
        regions = None
        if self.boxed:
            regions = template_boxes() if points is None else region_boxes(points, self.size)
            known["fallback"] = regions.fallback
        quality = Quality(self.detector.name, reason, detail, warnings, forced, **known)
        if not quality.usable:
            return Framed(None, quality)
        return Framed(face, quality, points, None if regions is None else regions.boxes)

    def _failed(self, reason: str, detail: str, **known: Any) -> Framed:
        assert reason in PLACELESS or reason in ("many_faces", "bad_landmarks")
        return Framed(None, Quality(self.detector.name, reason, detail, **known))


def _resized(matrix_23: np.ndarray, by: float) -> np.ndarray:
    """The same frame with `by` times as many pixels: their centres are scaled, not corners."""
    return np.column_stack([matrix_23[:, :2] * by, (matrix_23[:, 2] + 0.5) * by - 0.5])
