"""Parity: the written file, in a fresh interpreter with torch or onnxruntime alone, answers what the fp32 program answered. No parity,
no file."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.base.errors import FailureError
from apps.base.export import bare, bare_onnx
from apps.base.program import TOLERANCE, Call, Program, close, named

__all__ = ["MARGIN", "check", "run_alone"]

MARGIN = 1e-4


def check(program: Program, path: Path, form: str, calls: list[Call]) -> dict[str, Any]:
    """Compare every output of every call; a report, or a FailureError naming the output, the difference and the case."""
    answers = run_alone(path, form, calls)
    worst: dict[str, dict[str, Any]] = {}
    discrete: dict[str, dict[str, int]] = {}
    for call, answer in zip(calls, answers, strict=True):
        with torch.inference_mode():
            expected = named(call.method, getattr(program, call.method)(*call.args))
            margins = program.margins(expected) if call.method != "prepare" else {}
        got = named(call.method, answer)
        case = describe(call)
        if got.keys() != expected.keys():
            raise _refusal(f"{case} gives {sorted(got)} instead of {sorted(expected)}")
        for name, value in expected.items():
            key = name if call.method in ("forward", name) else f"{call.method}.{name}"
            if got[name].shape != value.shape or got[name].dtype != value.dtype:
                raise _refusal(f"{key} is {_looks(got[name])} instead of {_looks(value)} at {case}")
            if value.is_floating_point() or value.is_complex():
                fits, off = close(got[name], value)
                if not fits:
                    raise _refusal(f"{key} differs by {off:.1e} (allowed {TOLERANCE:.0e}) at {case}")
                if off >= worst.get(key, {"difference": -1.0})["difference"]:
                    worst[key] = {"difference": off, "case": case}
            else:
                count = discrete.setdefault(key, {"compared": 0, "excused": 0})
                count["compared"] += value.numel()
                count["excused"] += _turned(got[name], value, margins.get(name), key, case)
    return {"cases": [describe(call) for call in calls], "worst": worst, "discrete": discrete}


def run_alone(path: Path, form: str, calls: list[Call]) -> list[Any]:
    """The file's answers, given by an interpreter that has torch, or onnxruntime, and nothing of ours. Tensors travel as plain files."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "calls"), Path(folder, "answers")
        if form == "onnx":
            return _run_onnx(path, calls, asked, answered)
        torch.save([(call.method, call.args) for call in calls], asked)
        _fresh(bare.__file__, path, form, asked, answered, _home(torch))
        return torch.load(answered, weights_only=True)


def _run_onnx(path: Path, calls: list[Call], asked: Path, answered: Path) -> list[Any]:
    import onnxruntime

    arrays = {f"{i}:{call.method}:{j}": np.asarray(arg) for i, call in enumerate(calls) for j, arg in enumerate(call.args)}
    with asked.open("wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    _fresh(bare_onnx.__file__, path, asked, answered, _home(onnxruntime))
    answers: list[dict[str, Tensor]] = [{} for _ in calls]
    with np.load(answered, allow_pickle=False) as file:
        for key in file.files:
            call, _, name = key.partition(":")
            answers[int(call)][name] = torch.from_numpy(file[key])
    return answers


def _fresh(script: str, *words: object) -> None:
    command = [sys.executable, "-I", "-W", "ignore", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or [f"it left with {done.returncode}"]
        why = lines[-1].strip()[:300]
        # torch.export's own guard: what it saw of the sizes made it rule one of them out
        remedy = "; not all sizes can be exported in this form, write .ts instead" if "Guard failed" in why else ""
        raise _refusal(f"a fresh interpreter could not answer from it: {why}{remedy}")


def _home(module: Any) -> str:
    return str(Path(module.__file__).parent.parent)


def _turned(got: Tensor, expected: Tensor, margin: Tensor | None, key: str, case: str) -> int:
    """How many discrete values differ where the decision was too narrow to call; a clear one that differs is a refusal."""
    differs = got != expected
    if not differs.any():
        return 0
    clear = differs if margin is None else differs & (margin.expand_as(differs) >= MARGIN)
    if clear.any():
        raise _refusal(f"{key} decides otherwise in {int(clear.sum())} of {clear.numel()} places at {case}")
    return int(differs.sum())


def _refusal(why: str) -> FailureError:
    return FailureError(f"no file was written: {why}")


def describe(call: Call) -> str:
    return f"{call.method}({', '.join(map(_looks, call.args))})"


def _looks(value: Any) -> str:
    """Type and shape, of tensors inside dicts and lists too; anything else as it is written."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_looks(part)}' for key, part in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_looks, value))}]"
    if not isinstance(value, Tensor):
        return repr(value)
    return f"{str(value.dtype).removeprefix('torch.')} {'x'.join(map(str, value.shape)) or 'scalar'}"
