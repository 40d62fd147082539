"""What every Triton form shares on the host: whether it can run here, whether it pays, which tile it takes, and the launch itself.

Triton is imported by the first launch, not before: an operation's kernels lie in `kernels/<operation>/triton.py`, their tiles beside them.
"""

import importlib
import json
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.dispatch import is_tracing

__all__ = [
    "Launch",
    "aimed_at",
    "cdiv",
    "dot_dtype",
    "full_dtype",
    "launch",
    "power",
    "precision",
    "second_order",
    "tile",
    "trying",
    "unable",
    "worth",
]

FOLDER = Path(__file__).parent
# By operation and architecture: the size from which it pays, and the length where tokens meet tokens.
CROSSOVERS: dict[str, dict[str, dict[str, int]]] = json.loads((FOLDER / "crossover.json").read_text())
HAS_TRITON = find_spec("triton") is not None
OLDEST = 80  # what kernels are compiled and checked for, see compile_check.py
KEYS = ("architecture", "kernel", "bits", "width")  # of a row of tiles; the others are the tile
INTERPRETED = 0  # the architecture of tiles that are small enough for Triton's interpreter, and for tests to have several of them


class Launch(NamedTuple):
    """One kernel as it would be launched; see `aimed_at`."""

    operation: str
    kernel: str
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    options: dict[str, Any]


class _Aim:
    architecture: int | None = None
    launches: list[Launch] | None = None
    tried: tuple[str, str, dict[str, int]] | None = None


_aim = _Aim()


@contextmanager
def aimed_at(architecture: int) -> Generator[list[Launch]]:
    """Within the block kernels are listed, with the tiles of this architecture, and not launched: their answers are unwritten memory.

    So that they can be compiled for a device that is not there.
    """
    _aim.architecture, _aim.launches = architecture, []
    try:
        yield _aim.launches
    finally:
        _aim.architecture = _aim.launches = None


@contextmanager
def trying(operation: str, kernel: str, row: dict[str, int]) -> Generator[None]:
    """Within the block this kernel takes this tile, whatever the table says."""
    _aim.tried = operation, kernel, row
    try:
        yield
    finally:
        _aim.tried = None


def interpreting() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def unable(*tensors: Tensor | None) -> str | None:
    """Why no kernel could take these tensors, or None."""
    if is_tracing():
        return "a traced program would not load without this package"
    given = [x for x in tensors if x is not None]
    devices = {x.device for x in given}
    if len(devices) > 1:
        return f"the tensors lie on several devices: {', '.join(sorted(map(str, devices)))}"
    kind = given[0].device.type
    without_device = kind == "cpu" and (_aim.launches is not None or interpreting())
    if kind != "cuda" and not without_device:
        return f"kernels run on a CUDA device, not on {kind}"
    if not HAS_TRITON:
        return "triton is not installed"
    if kind == "cuda" and any(x.dtype == torch.float64 for x in given):
        return "float64 is left to torch"
    if kind == "cuda" and capability(given[0].device) < OLDEST:
        return f"kernels are checked from compute capability {OLDEST // 10}.{OLDEST % 10} on, this device has less"
    return None


def worth(operation: str, size: int, x: Tensor, *lengths: int) -> str | None:
    """Why the kernel would not pay for this size, or None. What was not measured on a device does not pay there.

    lengths: of the sides of a map. Many small maps have the size of a large one, and nothing of what makes it pay.
    """
    begins = CROSSOVERS.get(operation, {}).get(str(architecture_of(x)))
    if begins is None:
        return "not measured on this device"
    if size < begins["size"]:
        return f"it pays from {begins['size']} on, not at {size}"
    if lengths and min(lengths) < begins["length"]:
        return f"it pays from {begins['length']} tokens on, not at {min(lengths)}"
    return None


def capability(device: torch.device) -> int:
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor


# torch.compile does not look inside. What torch.compiler.assume_constant_result does, without its import of the whole compiler.
capability._dynamo_marked_constant = True  # type: ignore[attr-defined]


def architecture_of(x: Tensor) -> int:
    if _aim.architecture is not None:
        return _aim.architecture
    return capability(x.device) if x.device.type == "cuda" else INTERPRETED


@cache
def tiles(operation: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / operation / "tiles.json").read_text())


def tile(operation: str, kernel: str, x: Tensor, width: int) -> dict[str, int]:
    """The row of the table for the device of x (else the nearest older one's), its dtype and the least width that holds `width`.

    Never a length: tables keyed by one are tuned anew for every batch.
    """
    if _aim.tried is not None and _aim.tried[:2] == (operation, kernel):
        return _aim.tried[2]
    architecture, bits = architecture_of(x), 8 * x.element_size()
    rows = [row for row in tiles(operation) if row["kernel"] == kernel and row["architecture"] <= architecture]
    newest = max(row["architecture"] for row in rows)
    rows = [row for row in rows if row["architecture"] == newest and bits <= row.get("bits", 64)]
    rows.sort(key=lambda row: (row.get("bits", 64), row.get("width", 2**30)))
    found = next((row for row in rows if width <= row.get("width", 2**30)), rows[-1])
    return {key: value for key, value in found.items() if key not in KEYS}


def launch(
    operation: str, kernel: str, grid: tuple[int, ...], *arguments: Any, tile: dict[str, int], fusion: bool, **constants: Any
) -> None:
    """Launch kernels/<operation>/triton.py's `kernel`. Constants that are dtypes become Triton's.

    fusion: of a product and a sum into one rounding. Always said, because Triton's default changes with 3.10.
    """
    constants |= {key: value for key, value in tile.items() if key.isupper()}
    options = {key: value for key, value in tile.items() if not key.isupper()} | {"enable_fp_fusion": fusion}
    if _aim.launches is not None:
        _aim.launches.append(Launch(operation, kernel, arguments, constants, options))
        return
    if 0 in grid:
        return
    function = getattr(importlib.import_module(f"kernels.{operation}.triton"), kernel)
    with torch.cuda.device_of(arguments[0]):
        function[grid](*arguments, **triton_constants(constants), **options)


def triton_constants(constants: dict[str, Any]) -> dict[str, Any]:
    import triton.language as tl  # pyright: ignore[reportMissingTypeStubs]

    return {
        key: getattr(tl, str(value).removeprefix("torch.")) if isinstance(value, torch.dtype) else value for key, value in constants.items()
    }


def cdiv(a: int, b: int) -> int:
    return -(-a // b)


def power(n: int, least: int = 16) -> int:
    """The next power of two: blocks have no other sizes."""
    return max(least, 1 << max(n - 1, 0).bit_length())


def full_dtype(*tensors: Tensor | None) -> torch.dtype:
    """Of sums and statistics: float32, or float64 where something is."""
    full = torch.float32
    for x in tensors:
        full = full if x is None else torch.promote_types(full, x.dtype)
    return full


def dot_dtype(*tensors: Tensor) -> torch.dtype:
    """Of the factors of a product of tiles: theirs, but float32 under the interpreter, which cannot compute with bfloat16."""
    wide = tensors[0].dtype
    for x in tensors[1:]:
        wide = torch.promote_types(wide, x.dtype)
    return full_dtype(*tensors) if interpreting() else wide


def in_autocast_dtype(*tensors: Tensor | None) -> tuple[Any, ...]:
    """The factors of an operation's products as autocast wants them, where it is on."""
    device = next(x for x in tensors if x is not None).device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return tuple(x if x is None or x.dtype == torch.float64 else x.to(dtype) for x in tensors)


def precision() -> str:
    """Of float32 products: exact unless torch's own setting says otherwise."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"


def register(
    operation: Any, fake: Callable[..., Any], gradients: Callable[..., Any] | None = None, keep: Callable[..., None] | None = None
) -> None:
    """Tell torch the shapes of a custom operation's answers and, unless it is itself a gradient, its gradients and what they need."""
    operation.register_fake(fake)
    if gradients is not None:
        operation.register_autograd(gradients, setup_context=keep)


def second_order(
    function: Callable[..., Any], inputs: Sequence[Tensor | None], needed: Sequence[bool], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of `function` (the reference) that can be derived once more."""
    answers = function(*inputs)
    answers = (answers,) if isinstance(answers, Tensor) else answers
    pairs = [
        (answer, gradient) for answer, gradient in zip(answers, gradients, strict=True) if gradient is not None and answer.requires_grad
    ]
    wanted = [x for x, need in zip(inputs, needed, strict=True) if need and x is not None]
    found = iter(torch.autograd.grad([a for a, _ in pairs], wanted, [g for _, g in pairs], create_graph=True, allow_unused=True))
    return [next(found) if need and x is not None else None for x, need in zip(inputs, needed, strict=True)]
