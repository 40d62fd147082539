"""A user's own ONNX file, such as a detector, opened: trusted first, because it is a program, and read once."""

import hashlib
import os
from pathlib import Path
from typing import Any

from apps.base import trust
from apps.base.errors import UserError

__all__ = ["open_session", "read_model", "short"]

MOST_BYTES = 2 << 30


def read_model(path: str | os.PathLike[str], trusting: bool, what: str) -> bytes:
    """The bytes of a file that may run: what is hashed is what is loaded. what: "detector", for the words of errors."""
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: more than {MOST_BYTES >> 30} GiB; no {what} is that large")
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    trust.require(path, hashlib.sha256(data).hexdigest(), trusting)
    return data


def open_session(path: str | os.PathLike[str], data: bytes, what: str) -> Any:
    """An onnxruntime session on the CPU, of a file that takes one float picture (1,3,H,W)."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path}: a {what} needs onnxruntime; run: pip install 'discern[onnx]'") from None
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class
        raise UserError(f"{path}: no ONNX file that can be loaded ({short(error)}); export it again") from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        takes = "; ".join(f"{entry.type} {entry.shape}" for entry in inputs)
        raise UserError(f"{path}: takes {takes}; a {what} takes one float picture (1,3,H,W)")
    return session


def short(error: Any) -> str:
    return " ".join(str(error).split())[:120]
