"""One file that answers without this package: written beside its place, checked in a fresh interpreter, and only then put there."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.base.errors import UserError
from apps.base.places import output_file
from apps.base.shell import Shell, nearest
from apps.base.version import version_of

if TYPE_CHECKING:
    from apps.base.program import Call, Program

__all__ = ["FORMATS", "export_program", "format_of", "suffix_of"]

FORMATS = {".ts": "torchscript", ".pt2": "pt2", ".onnx": "onnx", ".safetensors": "safetensors"}
ONNX = ("onnx", "onnxscript", "onnxruntime")
KEYS = ("app", "program", "labels", "answer", "batching", "input", "licence", "preprocessing")


def format_of(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise UserError(f"{path}: the suffix names the format, one of {known}{nearest(suffix, list(FORMATS))}")
    return FORMATS[suffix]


def suffix_of(path: Path | None, format: str | None) -> str:
    """What is to be written, from what was said of file and format. Asked before a checkpoint is opened: a mistake costs nothing."""
    form = format_of(path) if path else format or "torchscript"
    if format not in (None, form):
        raise UserError(f"-o {path} means {form} and --format says {format}; leave one of them out")
    _check_installed(form)
    return next(suffix for suffix, known in FORMATS.items() if known == form)


def _check_installed(form: str) -> None:
    if form == "onnx" and (missing := [name for name in ONNX if find_spec(name) is None]):
        raise UserError(f"writing .onnx needs {', '.join(missing)}; run: pip install 'discern[onnx]', or write .ts")


def export_program(program: Program, path: str | os.PathLike[str], format: str | None, shell: Shell) -> dict[str, Any]:
    """Write the program to `path` and return its parity report; the file appears only if it answers as the program does.

    `format` is one of FORMATS; None takes it from the suffix.
    """
    import torch

    from datamodules.whole import put_whole, sha256

    path = Path(path)
    form = format or format_of(path)
    if form not in FORMATS.values():
        raise UserError(f"there is no format {form!r}{nearest(form, list(FORMATS.values()))}: {', '.join(FORMATS.values())}")
    output_file("-o", path)
    _check_installed(form)
    started = time.perf_counter()
    twin = copy.deepcopy(program).cpu().eval()
    if form != "safetensors":  # weights are shared as they are, bit for bit; a program is checked in fp32
        twin = twin.float()
    seed = int.from_bytes(os.urandom(4), "little")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder, path.name)
        with torch.no_grad():
            calls = twin.calls(torch.Generator().manual_seed(seed)) if form != "safetensors" else []
        metadata = json.dumps(_metadata(twin), ensure_ascii=False, sort_keys=True)
        shell.say(f"writing {form}")
        with _reference():  # this much and no more: what is expected of the file is what evaluation answers, fused forms included
            _write(twin, draft, form, metadata, calls)
        written = time.perf_counter()
        shell.say("checking it in a fresh interpreter")
        findings = _check(twin, draft, form, calls)
        digest = sha256(draft)
        size = draft.stat().st_size
        put_whole(draft, path)
    if form != "safetensors":
        _trust(digest, path, shell)
    return {
        "format": form,
        "file": path.name,
        "bytes": size,
        "sha256": digest,
        "passed": True,
        "seed": seed,
        **findings,
        "seconds": {"write": round(written - started, 3), "check": round(time.perf_counter() - written, 3)},
        "versions": {"torch": torch.__version__, "discern": version_of("discern") or "source"},
    }


def _metadata(program: Program) -> dict[str, Any]:
    from apps.base.program import method_names

    metadata = program.metadata()
    if missing := [key for key in KEYS if key not in metadata]:
        raise ValueError(f"{type(program).__name__}.metadata() lacks {', '.join(missing)}")
    return {**metadata, "schema": 1, "methods": method_names(program), "discern": version_of("discern") or "source"}


def _write(program: Program, draft: Path, form: str, metadata: str, calls: list[Call]) -> None:
    from apps.base.export import onnx, pt2, torchscript, weights

    if form == "torchscript":
        torchscript.write(program, str(draft), metadata)
    elif form == "pt2":
        pt2.write(program, str(draft), metadata, calls)
    elif form == "onnx":
        onnx.write(program, str(draft), metadata, calls)
    else:
        weights.write(program, str(draft), metadata)


def _check(program: Program, draft: Path, form: str, calls: list[Call]) -> dict[str, Any]:
    from apps.base.export import parity, weights

    if form == "safetensors":
        weights.check(program, str(draft))
        return {"cases": ["bitwise round trip"], "worst": {}, "discrete": {}}
    _check_answers(program, calls)
    return parity.check(program, draft, form, calls)


def _check_answers(program: Program, calls: list[Call]) -> None:
    """The answer rows name outputs that forward gives, in shapes that predict can print."""
    import torch

    from apps.base.predict.answer import answer_rows

    call = next((call for call in calls if call.method == "forward"), None)
    if call is not None and program.metadata()["answer"]:
        with torch.inference_mode():
            answer_rows(program.metadata(), program(*call.args), full=True)


def _trust(digest: str, path: Path, shell: Shell) -> None:
    """What was written here may run here. A home that cannot be written to is no reason to lose the file."""
    from apps.base import trust

    try:
        trust.add(digest, comment=path.name)
    except (OSError, UserError) as error:
        shell.complain(f"{path.name} was written but not put on the trusted list ({error}); predict will ask for --trust")


def _reference() -> contextlib.AbstractContextManager[Any]:
    """Custom operations and autograd functions cannot be saved: the plain forms can."""
    from kernels.dispatch import use_backend

    return use_backend("reference")
