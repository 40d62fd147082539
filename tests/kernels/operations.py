"""What the tests of the operations on queries and keys share.

An operation is tried through `call(*tensors, mask) -> tensors`, and `make(n, m, batch)` gives its tensors in float64.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import query_chunks, use_backend
from kernels.errors import strictly

__all__ = [
    "MASKS", "SIZES", "check_autocast", "check_forms", "check_programs", "check_traces", "in_small_pieces", "numbers", "strictly",
    "textbook",
]  # fmt: skip

SIZES = [(1, 1), (3, 1), (1, 4), (3, 4)]
HEADS = 4
MASKS = ("none", "pairs", "keys", "each head", "bias", "hard bias")

Make = Callable[..., tuple[Tensor, ...]]
Call = Callable[..., Tensor | tuple[Tensor, ...]]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def mask_of(kind: str, n: int, m: int, batch: int = 2) -> Tensor | None:
    """Query 0 sees nothing wherever the mask may tell queries apart."""
    generator = torch.Generator().manual_seed(1)
    seen = torch.rand(batch, HEADS if kind == "each head" else 1, n, m, generator=generator) < 0.6
    seen[:, :, 0] = False
    bias = torch.randn(batch, HEADS, n, m, generator=generator, dtype=torch.float64)
    kinds = {"none": None, "keys": seen[:, :, -1:], "bias": bias, "hard bias": bias.masked_fill(~seen, -torch.inf)}
    return kinds.get(kind, seen)


def textbook(q: Tensor, k: Tensor, mask: Tensor | None = None, causal: bool = False, scale: float | None = None) -> Tensor:
    """The logits, -inf where hidden."""
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        logits = logits + mask if mask.is_floating_point() else torch.where(mask, logits, -torch.inf)
    if causal:
        logits = torch.where(torch.arange(k.shape[2]) <= torch.arange(q.shape[2])[:, None], logits, -torch.inf)
    return logits


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two queries a piece, so that small tensors have several."""
    monkeypatch.setattr(query_chunks, "CPU_BYTES", 0)
    monkeypatch.setattr(query_chunks, "LEAST", 2)


def tensors(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (answer,) if isinstance(answer, Tensor) else answer


def check_forms(call: Call, make: Make, mask: Tensor | None) -> None:
    """The torch form equals the reference, forward and backward, the gradient of a float mask included."""
    results = []
    for backend in ("reference", "torch"):
        leaves = [x.requires_grad_() for x in make()]
        given = mask
        if mask is not None and mask.is_floating_point():
            given = mask.clone().requires_grad_()
            leaves.append(given)
        with strictly(backend), torch.autograd.set_detect_anomaly(True):
            answers = tensors(call(*leaves[: len(make())], given))
            loss = sum(answer.square().sum() for answer in answers if answer.requires_grad)
            results.append([*answers, *torch.autograd.grad(loss, leaves)])
    names = [f"answer {i}" for i in range(len(answers))] + [f"gradient of input {i}" for i in range(len(leaves))]
    for name, ours, theirs in zip(names, *results, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-9, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")


def check_traces(call: Call, make: Make, sizes: list[tuple[int, int]]) -> None:
    """A trace at the first size is right at the others, and names no device."""
    with use_backend("reference"):
        first = (*make(*sizes[0]), torch.rand(2, 1, *sizes[0]) < 0.7)
        traced = torch.jit.trace(lambda *inputs: call(*inputs), first, check_trace=False)
    assert "Device" not in str(traced.inlined_graph)
    for batch, (n, m) in enumerate(sizes[1:], start=1):
        inputs = (*make(n, m, batch=batch), torch.rand(batch, 1, n, m) < 0.7)
        for got, wanted in zip(tensors(traced(*inputs)), tensors(call(*inputs)), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


def check_programs(call: Call, make: Make, open_sizes: list[dict[int, Any]], square: bool = False) -> None:
    """Compiled whole and exported with `open_sizes` left open, both with no backend chosen, it answers as eager."""

    class Model(torch.nn.Module):
        def forward(self, *inputs: Tensor) -> Any:
            return call(*inputs, None)

    torch.compiler.reset()  # all operations come through this one `forward`, and torch counts its versions
    compiled = torch.compile(Model(), fullgraph=True, backend="aot_eager", dynamic=True)
    exported = torch.export.export(Model(), make(5, 5 if square else 7), dynamic_shapes={"inputs": tuple(open_sizes)}).module()
    for n, m in ((6, 6), (9, 9)) if square else ((6, 8), (9, 3)):
        inputs = make(n, m)
        for got in (compiled(*inputs), exported(*inputs)):
            for one, wanted in zip(tensors(got), tensors(call(*inputs, None)), strict=True):
                torch.testing.assert_close(one, wanted)


def check_autocast(call: Call, make: Make, tolerance: float = 2e-2) -> None:
    """Half inputs under autocast: the answer is that of exact arithmetic on the same numbers, but for the rounding of the answer."""
    half = [x.bfloat16() for x in make(40, 40)]
    wanted = tensors(call(*(x.double() for x in half), None))
    for backend in ("reference", "torch"):
        with strictly(backend), torch.autocast("cpu", dtype=torch.bfloat16):
            got = tensors(call(*half, None))
        for one, exact in zip(got, wanted, strict=True):
            assert (one.double() - exact).square().mean().sqrt() < tolerance * exact.square().mean().sqrt()
