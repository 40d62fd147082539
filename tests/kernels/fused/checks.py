"""What the tests of the Triton forms share: a kernel beside the reference in float64 on the same, already rounded inputs.

Rounding of half inputs inside a product is what a device does; the interpreter computes with them in float32 and so tests the rounding
of answers only.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.errors import LIMITS, judged, parts, relative, under

__all__ = ["ON", "ROUNDED", "check_fused", "needs_interpreter", "relative", "tensors"]

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_interpreter = pytest.mark.skipif(not INTERPRETED, reason="runs in Triton's interpreter: TRITON_INTERPRET=1")
on_a_device = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

# Where the matrix of tests runs: in float64, which shows every slip, without a device; in all other dtypes on one.
ON = [
    pytest.param("cpu", torch.float64, marks=needs_interpreter, id="interpreted"),
    *(pytest.param("cuda", dtype, marks=on_a_device, id=f"cuda-{str(dtype)[6:]}") for dtype in LIMITS if dtype != torch.float64),
    pytest.param("cuda", torch.float32, marks=on_a_device, id="cuda-tf32"),  # conftest.py allows it by this name
]
# One case each: what the interpreter can say of other dtypes.
ROUNDED = [pytest.param("cpu", dtype, marks=needs_interpreter, id=str(dtype)[6:]) for dtype in (torch.float32, torch.bfloat16)]

Call = Callable[..., Any]
tensors = parts


def check_fused(call: Call, inputs: Sequence[Tensor | None], device: str, dtype: torch.dtype) -> None:
    """Forward and backward within the dtype's limits; the gradients are those of all floating point inputs."""
    given = [x if x is None or not x.is_floating_point() else x.to(device, dtype).requires_grad_() for x in inputs]
    given = [x if x is None else x.to(device) for x in given]
    for what, error, limit in judged(under("triton", call), under("reference", call), given, dtype, where="cpu"):
        assert error <= limit, f"{what}: {error:.2e} above {limit:.0e}"
