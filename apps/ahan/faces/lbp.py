"""`lbp`: the cascade of local binary patterns that comes with scikit-image. It tells a face's box alone."""

import numpy as np

from apps.ahan.faces.face import DetectorUnavailableError, Face
from apps.ahan.faces.smaller import smaller

__all__ = ["Lbp"]

GROW, STEP = 1.2, 1.0
LEAST = 60  # pixels: below, this cascade sees faces where there are none (ours)


class Lbp:
    name = "lbp"

    def __init__(self) -> None:
        try:
            from skimage.data import lbp_frontal_face_cascade_filename  # pyright: ignore[reportMissingImports] - an extra
            from skimage.feature import Cascade  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise DetectorUnavailableError("detector lbp needs scikit-image; run: pip install 'discern[faces]'") from None
        self._cascade = Cascade(lbp_frontal_face_cascade_filename())

    def detect(self, image: np.ndarray) -> list[Face]:
        picture, by = smaller(image)
        most = min(picture.shape[:2])
        if most < LEAST:
            return []
        found = self._cascade.detect_multi_scale(
            img=np.ascontiguousarray(picture), scale_factor=GROW, step_ratio=STEP, min_size=(LEAST, LEAST), max_size=(most, most)
        )
        boxes = [tuple(float(row[side]) / by for side in ("c", "r", "width", "height")) for row in found]
        return sorted((Face(box, 1.0) for box in boxes), key=lambda face: -face.side)  # type: ignore[arg-type]
