"""What MLflow runs to answer from an exported file. It travels with the model: torch, numpy, opencv, pillow and mlflow, nothing of ours.

>>> model = mlflow.pyfunc.load_model("models:/discern-dcal/1")
>>> model.predict(picture_HWC)                              # uint8, RGB; also (B, H, W, 3) or a list of pictures
>>> model.predict(pandas.DataFrame({"image": [base64_of_a_jpeg]}))

A picture file is read as `discern predict` reads it. The kind is what its bytes say: JPEG, PNG, WebP, TIFF, BMP, GIF. At most 100
million pixels, known before they are decoded. EXIF turns are carried out, grey is repeated into three channels, 16 bits are divided by
257, transparency is composed on white, palettes and CMYK become RGB as OpenCV converts them, the first frame counts.
"""

import base64
import io
import json
import warnings
from typing import Any

import cv2
import numpy as np
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from PIL import Image

__all__ = ["Answering"]

KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 100_000_000


class Answering(PythonModel):
    """Raw pictures in; for each a dict of plain values out, as the file's own `answer` rows say."""

    def load_context(self, context: PythonModelContext) -> None:
        extra = {"discern.json": ""}
        self.program = torch.jit.load(context.artifacts["program"], map_location="cpu", _extra_files=extra).eval()
        self.about: dict[str, Any] = json.loads(extra["discern.json"])

    def predict(self, context: PythonModelContext, model_input: np.ndarray, params=None) -> list[dict[str, Any]]:
        """Lists and tables too; the hint names the one kind that mlflow neither checks nor warns about."""
        with torch.inference_mode():
            items = _pictures(model_input) if self.about.get("input", "image") == "image" else model_input
            xs = [torch.from_numpy(np.asarray(item)) for item in items]
            if hasattr(self.program, "prepare"):
                xs = [self.program.prepare(x) for x in xs]
            if self.about.get("batching", "stack") == "ragged":
                return [_plain(self._ragged(x), self.about) for x in xs]
            answers: list[dict[str, Any]] = [{} for _ in xs]
            for members in self._batches(xs):
                outputs = self.program(torch.stack([xs[i] for i in members]))
                for row, i in enumerate(members):
                    answers[i] = _plain({name: value[row] for name, value in outputs.items()}, self.about)
        return answers

    def _ragged(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """One item of its own length; the outputs `along` it have a row an element, the others one row."""
        outputs = self.program(x, torch.tensor([0, len(x)]))
        return {name: value if name in self.about["along"] else value[0] for name, value in outputs.items()}

    def _batches(self, xs: list[torch.Tensor]) -> list[list[int]]:
        """Items of one shape go together, unless the program takes them one by one."""
        if self.about.get("batching", "stack") == "single":
            return [[i] for i in range(len(xs))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, x in enumerate(xs):
            groups.setdefault(tuple(x.shape), []).append(i)
        return list(groups.values())


def _pictures(given: Any) -> list[np.ndarray]:
    if hasattr(given, "columns"):
        if "image" not in given.columns:
            raise ValueError(f"a table needs a column 'image' with base64-encoded pictures, not {list(given.columns)}")
        return [_decode(text, row) for row, text in enumerate(given["image"])]
    if isinstance(given, np.ndarray) and given.dtype != object:
        given = [given] if given.ndim == 3 else list(given)
    return [_checked(picture, row) for row, picture in enumerate(given)]


def _checked(picture: Any, row: int) -> np.ndarray:
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"picture {row}: need uint8 (H, W, 3) in RGB, got {picture.dtype} {picture.shape}")
    return np.ascontiguousarray(picture)


def _decode(text: str | bytes, row: int) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"picture {row}: not a base64-encoded picture that can be read") from None
    try:
        return _read(data)
    except ValueError as error:
        raise ValueError(f"picture {row}: {error}") from None


def _read(data: bytes) -> np.ndarray:
    """uint8 (H, W, 3) RGB by the rule at the head of this file."""
    premultiplied = _check(data)
    # As stored: keeps alpha and 16 bits, does not turn.
    pixels, kinds, blobs = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("damaged or cut short")
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) + 128) // 257
    elif pixels.dtype != np.uint8:
        raise ValueError(f"pixels of type {pixels.dtype} have no agreed range")
    pixels = np.atleast_3d(pixels).astype(np.uint32)
    colour = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1].repeat(3, 2)
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1:]
        opaque = colour * 255 if premultiplied else colour * alpha
        colour = np.minimum((opaque + 255 * (255 - alpha) + 127) // 255, 255)
    turn = next((_turn(bytes(blob)) for kind, blob in zip(kinds, blobs, strict=True) if kind == cv2.IMAGE_METADATA_EXIF), 1)
    return _turned(colour[:, :, ::-1].astype(np.uint8), turn)


def _check(data: bytes) -> bool:
    """Refuse by the header what must not be decoded; True where the colours come multiplied by alpha (OpenCV's TIFF)."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=KINDS) as header:
            width, height = header.size
            extra = header.tag_v2.get(338) if header.format == "TIFF" else None  # type: ignore[attr-defined]
            eight = extra is not None and header.tag_v2.get(277, 1) >= 4 and header.tag_v2.get(258, (8,))[0] == 8  # type: ignore[attr-defined]
    except Image.DecompressionBombError:
        width, height, extra, eight = MAX_PIXELS, 2, None, False
    except Exception:
        raise ValueError(f"not a picture that can be read (known: {', '.join(KINDS)})") from None
    if width * height > MAX_PIXELS:
        raise ValueError(f"more pixels than the limit of {MAX_PIXELS:,}")
    if extra and not eight:
        raise ValueError("TIFF whose transparency cannot be read; save it as PNG")
    return bool(extra)


def _turn(blob: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(blob)
        turn = exif.get(0x112, 1)
    except Exception:  # odd EXIF: not turned
        return 1
    return turn if turn in range(1, 9) else 1


def _turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    if turn >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _plain(outputs: dict[str, torch.Tensor], about: dict[str, Any]) -> dict[str, Any]:
    """The answer rows of the file; big ones (`full`) stay out of a served answer. A number that is none makes it an error."""
    found: dict[str, Any] = {}
    for row in about["answer"]:
        if row.get("full"):
            continue
        value = outputs[row["output"]]
        if value.is_floating_point() and not bool(value.isfinite().all()):
            return {"error": f"the program's answer is not a number ({row['output']})"}
        if row["as"] == "top":
            best = value.float().sort(descending=True, stable=True)
            k = min(int(row.get("k", 5)), len(value))
            labels = about.get("labels") or list(range(len(value)))
            pairs = zip(best.values[:k].tolist(), best.indices[:k].tolist(), strict=True)
            found[row["output"]] = [{"label": labels[i], "probability": score} for score, i in pairs]
        else:
            found[row["output"]] = value.reshape(()).item() if row["as"] == "value" else value.tolist()
    return found


set_model(Answering())
