"""What MLflow runs to answer from an exported file. It travels with the model: torch, numpy, opencv, pillow and mlflow, nothing of ours.

A request is a table with one row an item and one column, named after what the file takes (`input` in its metadata):

    {"dataframe_records": [{"image": "<base64 of a JPEG>"}, ...]}
    {"dataframe_records": [{"features": [[0.1, 0.2, ...], ...]}, ...]}                 rows of a bag
    {"dataframe_records": [{"graph": {"x": [[1, 0], [0, 1]], "edges": [[0, 1]]}}, ...]}
    {"dataframe_records": [{"integers": [2, 3, 10, 6, 5, 9, 4, 3, 7]}, ...]}            a problem as one row

The answer is {"predictions": [...]} with the rows that `discern predict` gives; an item that cannot be read is a row with its "error", and
the others are answered. In Python `predict` also takes a list of arrays:

>>> model = mlflow.pyfunc.load_model("models:/discern-dcal/1")
>>> model.predict([picture_HWC])                            # uint8, RGB

A picture file is read as `discern predict` reads it. The kind is what its bytes say: JPEG, PNG, WebP, TIFF, BMP, GIF. At most 100
million pixels, known before they are decoded. EXIF turns are carried out, grey is repeated into three channels, 16 bits are divided by
257, transparency is composed on white, palettes and CMYK become RGB as OpenCV converts them, the first frame counts.
"""

import base64
import io
import itertools
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
    """Raw items in; for each a dict of plain values out, as the file's own `answer` rows say."""

    def load_context(self, context: PythonModelContext) -> None:
        extra = {"discern.json": ""}
        self.program = torch.jit.load(context.artifacts["program"], map_location="cpu", _extra_files=extra).eval()
        self.about: dict[str, Any] = json.loads(extra["discern.json"])

    def predict(self, context: PythonModelContext, model_input: np.ndarray, params=None) -> list[dict[str, Any]]:
        """Lists and tables too; the hint names the one kind that mlflow neither checks nor warns about."""
        # The graph as it was written: the profiling executor would compile it anew for each batch size.
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # pyright: ignore[reportPrivateImportUsage]
            ready = [self._ready(item) for item in _items(model_input, self.about["input"])]
            answers = [{"error": item} if isinstance(item, str) else {} for item in ready]
            for members in self._batches(ready):
                for i, answer in zip(members, self._answered([ready[i] for i in members]), strict=True):
                    answers[i] = answer
        return answers

    def _ready(self, item: Any) -> tuple[torch.Tensor, ...] | str:
        """What forward takes of one item, or why it cannot be had."""
        try:
            parts = READERS[self.about["input"]](item, self.about)
            return (self.program.prepare(*parts),) if hasattr(self.program, "prepare") else parts
        except FAILURES as error:
            return _last_line(error)

    def _batches(self, ready: list[Any]) -> list[list[int]]:
        """Items of one shape go together where the program takes a stack, else one by one."""
        groups: dict[Any, list[int]] = {}
        for i, parts in enumerate(ready):
            if not isinstance(parts, str):
                groups.setdefault(tuple(parts[0].shape) if self.about["batching"] == "stack" else i, []).append(i)
        return list(groups.values())

    def _answered(self, members: list[Any]) -> list[dict[str, Any]]:
        batching, along = self.about["batching"], self.about.get("along", [])
        x, *rest = members[0]
        try:
            if batching == "ragged":
                outputs = self.program(x, torch.tensor([0, len(x)]))
            elif batching == "graph":
                outputs = self.program(x, rest[0], torch.zeros(len(x), dtype=torch.long), 1, *rest[1:])
            else:
                outputs = self.program(torch.stack([parts[0] for parts in members]))
        except FAILURES as error:
            return [{"error": _last_line(error)} for _ in members]
        # Outputs `along` an item have a row an element of it, the others one row.
        rows = [{name: value if name in along else value[i] for name, value in outputs.items()} for i in range(len(members))]
        return [_plain(row, self.about) for row in rows]


FAILURES = (ValueError, RuntimeError, torch.jit.Error)  # pyright: ignore[reportPrivateImportUsage]


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _items(given: Any, kind: str) -> list[Any]:
    if hasattr(given, "columns"):
        if kind not in given.columns:
            raise ValueError(f"a table needs a column {kind!r} with an item a row, not {list(given.columns)}")
        return list(given[kind])
    if isinstance(given, np.ndarray) and given.ndim == {"image": 3, "features": 2}.get(kind):
        return [given]
    if not isinstance(given, (list, np.ndarray)):
        raise ValueError(f"need a table with a column {kind!r}, or a list of items, not {type(given).__name__}")
    return list(given)


def _picture(item: Any, about: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    if isinstance(item, (str, bytes)):
        try:
            data = base64.b64decode(item, validate=True)
        except ValueError:
            raise ValueError("not a base64-encoded picture that can be read") from None
        return (torch.from_numpy(_read(data)),)
    picture = np.asarray(item)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"need uint8 (H, W, 3) in RGB, or a base64-encoded picture, got {picture.dtype} {picture.shape}")
    return (torch.from_numpy(np.ascontiguousarray(picture)),)


def _features(item: Any, about: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    return (torch.from_numpy(_rows(item, "features", about["preprocessing"]["features"], None)),)


def _graph(item: Any, about: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    """As `discern predict` reads it from a file: each edge goes both ways unless "directed", counts once, and never to its own node."""
    if not isinstance(item, dict) or "x" not in item or "edges" not in item:
        raise ValueError("a graph is an object with x (features of each node) and edges (pairs of nodes)")
    if unknown := sorted(set(item) - {"x", "edges", "edge_features", "directed", "label", "split", "id"}):
        raise ValueError(f"unknown key {unknown[0]!r}")
    x = _rows(item["x"], "x", len(about["features"]), about.get("codes"))
    pairs = np.asarray(item["edges"] or np.zeros((0, 2), np.int64))
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError("edges are pairs of whole numbers")
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < len(x):
        raise ValueError(f"an edge names node {pairs[(pairs < 0) | (pairs >= len(x))][0]}; the nodes are 0..{len(x) - 1}")
    width = about["edge_features"]
    edges = _rows(item.get("edge_features", np.zeros((len(pairs), 0))), "edge_features", width, about.get("edge_codes"))
    if len(edges) != len(pairs):
        raise ValueError(f"edge_features is one row an edge, {len(pairs)} rows, not {len(edges)}")
    if not item.get("directed", False):
        pairs, edges = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([edges, edges])
    kept = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    kept = kept[np.unique(pairs[kept, 0] * max(len(x), 1) + pairs[kept, 1], return_index=True)[1]]
    edge_index = torch.from_numpy(np.ascontiguousarray(pairs[kept].T, np.int64))
    return (torch.from_numpy(x), edge_index, *([torch.from_numpy(edges[kept])] if width else []))


def _rows(given: Any, name: str, width: int, codes: list[int] | None) -> np.ndarray:
    """float32 (rows, width), finite; where columns are kinds, each below its number of kinds."""
    try:
        rows = np.asarray(given, np.float32)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is rows of numbers of equal length") from None
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"{name} is rows of finite numbers of equal length")
    if rows.shape[1] != width:
        raise ValueError(f"{name} has {rows.shape[1]} numbers a row; this program was trained with {width}")
    if codes and bool(((rows < 0) | (rows >= np.asarray(codes)) | (rows != rows.round())).any()):
        raise ValueError(f"{name} are kinds, numbered from 0: {codes} of them in each column")
    return rows


def _integers(item: Any, about: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    row = np.asarray(item)
    if row.ndim != 1 or row.dtype.kind not in "iu":
        raise ValueError("integers is one row of whole numbers")
    return (torch.from_numpy(np.ascontiguousarray(row, np.int64)),)


READERS = {"image": _picture, "features": _features, "graph": _graph, "integers": _integers}


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
        labels = about.get("labels") or []
        if row["as"] == "top":
            best = value.float().sort(descending=True, stable=True)
            k = min(int(row.get("k", 5)), len(value))
            pairs = zip(_numbers(best.values[:k]), best.indices[:k].tolist(), strict=True)
            found[row["output"]] = [{"label": labels[i] if labels else i, "probability": number} for number, i in pairs]
        elif row["as"] == "named":
            found[row["output"]] = dict(zip(labels, _numbers(value), strict=True))
        elif row["as"] == "text":  # tokens: 1..n are the labels, the first other one is the end
            tokens = value.tolist()
            end = next((i for i, token in enumerate(tokens) if not 1 <= token <= len(labels)), len(tokens))
            found[row["output"]] = "".join(labels[token - 1] for token in tokens[:end])
        elif row["as"] == "steps":  # the first one below 0 is the end
            found[row["output"]] = list(itertools.takewhile(lambda step: step >= 0, value.tolist()))
        else:
            found[row["output"]] = _numbers(value.reshape(())) if row["as"] == "value" else _numbers(value)
    return found


def _numbers(value: torch.Tensor) -> Any:
    """A float32 keeps its shortest spelling: 0.1, not 0.10000000149011612."""
    if not value.is_floating_point():
        return value.tolist()
    if value.dim() == 0:
        return float(str(value.float().numpy()[()]))
    return [_numbers(part) for part in value]


set_model(Answering())
