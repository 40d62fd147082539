"""What the tests of the Triton forms share: a kernel beside the reference in float64 on the same, already rounded inputs.

Errors are relative root mean squares: near a zero a relative error of one element says nothing. Rounding of half inputs inside a product
is what a device does; the interpreter computes with them in float32 and so tests the rounding of answers only.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import use_backend
from tests.kernels.operations import strictly

__all__ = ["ON", "ROUNDED", "check_fused", "errors", "needs_interpreter", "relative"]

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_interpreter = pytest.mark.skipif(not INTERPRETED, reason="runs in Triton's interpreter: TRITON_INTERPRET=1")
on_a_device = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

# (forward, gradient)
TOLERANCES = {
    torch.float64: (1e-13, 1e-12),
    torch.float32: (2e-6, 5e-6),
    torch.float16: (1e-3, 3e-3),
    torch.bfloat16: (5e-3, 1e-2),
}
# Where the matrix of tests runs: in float64, which shows every slip, without a device; in all other dtypes on one.
ON = [
    pytest.param("cpu", torch.float64, marks=needs_interpreter, id="interpreted"),
    *(pytest.param("cuda", dtype, marks=on_a_device, id=f"cuda-{str(dtype)[6:]}") for dtype in TOLERANCES if dtype != torch.float64),
]
# One case each: what the interpreter can say of other dtypes.
ROUNDED = [pytest.param("cpu", dtype, marks=needs_interpreter, id=str(dtype)[6:]) for dtype in (torch.float32, torch.bfloat16)]

Call = Callable[..., Any]


def tensors(answer: Any) -> list[Tensor]:
    return [answer] if isinstance(answer, Tensor) else [part for part in answer if part is not None]


def relative(got: Tensor, wanted: Tensor) -> float:
    """Root mean square of the difference over that of what was wanted. What is infinite has to be so on both sides."""
    got, wanted = got.detach().double().cpu(), wanted.detach().double().cpu()
    assert got.shape == wanted.shape, f"{tuple(got.shape)} for {tuple(wanted.shape)}"
    finite = wanted.isfinite()
    assert torch.equal(got[~finite], wanted[~finite]), "infinite where the reference is finite, or the other way round"
    difference = (got - wanted)[finite].square().mean().sqrt() if finite.any() else torch.zeros(())
    assert difference.isfinite(), "not a number"
    size = wanted[finite].square().mean().sqrt() if finite.any() else torch.zeros(())
    return float(difference / size.clamp(min=1e-30)) if difference > 0 else 0.0


def run(call: Call, inputs: Sequence[Tensor | None], backend: str, needs: Sequence[bool], exactly: bool) -> list[Tensor]:
    """Answers and gradients, of seeded cotangents."""
    leaves = [x if x is None or not need else x.detach().clone().requires_grad_() for x, need in zip(inputs, needs, strict=True)]
    with strictly(backend) if exactly else use_backend(backend):
        answers = tensors(call(*leaves))
    flowing = [answer for answer in answers if answer.requires_grad]
    wanted = [x for x in leaves if x is not None and x.requires_grad]
    if not flowing or not wanted:
        return answers
    generator = torch.Generator().manual_seed(7)
    cotangents = [torch.randn(answer.shape, generator=generator, dtype=torch.float64).to(answer) for answer in flowing]
    cotangents = [c.masked_fill(~answer.isfinite(), 0.0) for c, answer in zip(cotangents, flowing, strict=True)]
    return [*answers, *torch.autograd.grad(flowing, wanted, cotangents)]


def errors(call: Call, inputs: Sequence[Tensor | None], device: str, dtype: torch.dtype) -> tuple[list[float], int]:
    """(relative errors of the answers, then of the gradients; how many answers)."""
    rounded = [x if x is None or not x.is_floating_point() else x.to(dtype) for x in inputs]
    needs = [x is not None and x.is_floating_point() for x in inputs]
    exact = [x if x is None or not x.is_floating_point() else x.double() for x in rounded]
    wanted = run(call, exact, "reference", needs, False)
    there = [x if x is None else x.to(device) for x in rounded]
    got = run(call, there, "triton", needs, True)
    answers = len(wanted) - sum(needs) if len(wanted) > sum(needs) else len(wanted)
    return [relative(one, exact_one) for one, exact_one in zip(got, wanted, strict=True)], answers


def check_fused(call: Call, inputs: Sequence[Tensor | None], device: str, dtype: torch.dtype, looser: float = 1.0) -> None:
    """Forward and backward within the dtype's tolerances. looser: a factor, with its reason where it is used."""
    found, answers = errors(call, inputs, device, dtype)
    forward, gradient = TOLERANCES[dtype]
    for i, error in enumerate(found):
        limit = looser * (forward if i < answers else gradient)
        what = f"answer {i}" if i < answers else f"gradient {i - answers}"
        assert error <= limit, f"{what}: {error:.2e} above {limit:.0e}"
