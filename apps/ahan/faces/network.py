"""SCRFD and RetinaFace from a user's ONNX file, through onnxruntime: which of the two it is, its answers tell."""

from pathlib import Path

import numpy as np

from apps.ahan.faces import retinaface, scrfd
from apps.ahan.faces.canvas import canvas
from apps.ahan.faces.face import Face
from apps.ahan.faces.overlap import surest
from apps.base.errors import UserError
from apps.base.onnx_session import open_session, short

__all__ = ["Network"]


class Network:
    """name: the architecture and the file's name."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self._session = open_session(path, data, "detector")
        (entry,) = self._session.get_inputs()
        self._input, (_, _, high, wide) = entry.name, entry.shape
        self._size = (wide, high) if isinstance(high, int) and isinstance(wide, int) else None
        shapes = [tuple(output.shape) for output in self._session.get_outputs()]
        if scrfd.is_scrfd(shapes):
            self._kind = "scrfd"
        elif retinaface.is_retinaface(shapes):
            self._kind = "retinaface"
        else:
            raise UserError(
                f"{path}: answers {', '.join(str(list(shape)) for shape in shapes)[:120]}, which is neither YuNet, SCRFD nor RetinaFace"
            )
        self.name = f"{self._kind} ({Path(path).name})"

    def detect(self, image: np.ndarray) -> list[Face]:
        picture, by = canvas(image, self._size)
        if self._kind == "scrfd":
            x = (picture.astype(np.float32) - scrfd.MEAN) / scrfd.STD
        else:
            x = picture[:, :, ::-1].astype(np.float32) - retinaface.MEAN
        x_1CHW = np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)
        size = (picture.shape[1], picture.shape[0])
        try:
            answers = [np.asarray(answer) for answer in self._session.run(None, {self._input: x_1CHW})]
        except Exception as error:  # onnxruntime's own errors have no common class
            raise UserError(
                f"{self.path}: cannot take {list(x_1CHW.shape)} ({short(error)}); export it with free height and width"
            ) from None
        try:
            found = scrfd.decode(answers, size) if self._kind == "scrfd" else retinaface.decode(answers, size)
        except ValueError as error:
            raise UserError(f"{self.path}: no {self._kind} after all: {error}; name another file") from None
        boxes, scores, points = found
        return surest((boxes + 0.5) / by - 0.5, scores, None if points is None else (points + 0.5) / by - 0.5)
