"""How far answers and gradients are from the reference in float64 on the same numbers, and how far they may be.

    TRITON_INTERPRET=1 python -m kernels.errors [OPERATION ...]      # without a device; on one, without the variable

prints the worst of each operation's cases beside its limit. Errors are relative root mean squares: near a zero a relative error of one
element says nothing. One above its limit may still be at most twice that of the reference in the same dtype on the same device and one
rounding: sums of signed terms may cancel, and a gradient that starts from the rounded answer, as attention's does, carries its rounding.
"""

import argparse
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.dispatch import Operation, use_backend
from kernels.launch import interpreting, precision

__all__ = ["LIMITS", "TF32", "Verdict", "judged", "parts", "relative", "strictly", "under"]

# (answers, gradients)
LIMITS = {
    torch.float64: (1e-13, 1e-12),
    torch.float32: (2e-6, 5e-6),
    torch.float16: (1e-3, 3e-3),
    torch.bfloat16: (5e-3, 1e-2),
}
# Of float32 where torch's setting allows it. Twice what half of the last of ten bits would do: the device cuts the factors of a product off
# there and does not round them.
TF32 = (2e-3, 4e-3)

Call = Callable[..., Any]


class Verdict(NamedTuple):
    what: str
    error: float
    limit: float


def parts(answer: Any) -> list[Tensor]:
    return [answer] if isinstance(answer, Tensor) else [part for part in answer if part is not None]


@contextmanager
def strictly(backend: str) -> Generator[None]:
    """use_backend that fails where an operation has this form and takes another one: a form beside itself proves nothing."""
    choose: Callable[..., Any] = vars(Operation)["choose"]

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        chosen = choose(self, *args, **kwargs)
        if chosen[0] != backend and backend in self.forms:
            raise AssertionError(f"{self.__name__}: {'; '.join(chosen[2])}")
        return chosen

    Operation.choose = watched
    try:
        with use_backend(backend):
            yield
    finally:
        Operation.choose = choose


def under(backend: str, call: Call) -> Call:
    def run(*inputs: Any) -> Any:
        # the reference declines nothing, and torch.compile would look at who watches
        with use_backend(backend) if backend == "reference" else strictly(backend):
            return call(*inputs)

    return run


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


def run(call: Call, inputs: Sequence[Tensor | None], rounded: Sequence[torch.dtype] | None = None) -> tuple[list[Tensor], int]:
    """(answers and gradients, how many answers). Cotangents are seeded, and rounded as answers of these dtypes would have it."""
    leaves = [x if x is None else x.detach().requires_grad_(x.requires_grad) for x in inputs]
    answers = parts(call(*leaves))
    flowing = [i for i, answer in enumerate(answers) if answer.requires_grad]
    wanted = [x for x in leaves if x is not None and x.requires_grad]
    if not flowing or not wanted:
        return answers, len(answers)
    generator = torch.Generator().manual_seed(7)
    cotangents: list[Tensor] = []
    for i in flowing:
        cotangent = torch.randn(answers[i].shape, generator=generator, dtype=torch.float64, device="cpu")
        cotangent = cotangent.to(answers[i].dtype if rounded is None else rounded[i]).to(answers[i])
        cotangents.append(cotangent.masked_fill(~answers[i].isfinite(), 0.0))
    return [*answers, *torch.autograd.grad([answers[i] for i in flowing], wanted, cotangents)], len(answers)


def errors(call: Call, exact: Call, inputs: Sequence[Tensor | None], where: str | None) -> tuple[list[float], int]:
    """(of answers, then of gradients; how many answers)."""
    got, answers = run(call, inputs)
    in_full = [
        x
        if x is None
        else x.detach().to(where or x.device, torch.float64 if x.is_floating_point() else x.dtype).requires_grad_(x.requires_grad)
        for x in inputs
    ]
    wanted, _ = run(exact, in_full, [x.dtype for x in got])
    return [relative(one, other) for one, other in zip(got, wanted, strict=True)], answers


def judged(call: Call, exact: Call, inputs: Sequence[Tensor | None], dtype: torch.dtype, where: str | None = None) -> list[Verdict]:
    """Of each answer, and of the gradient of each input that wants one. where: the device of the exact answers, if it is another one."""
    found, answers = errors(call, exact, inputs, where)
    on_a_device = any(x is not None and x.device.type == "cuda" for x in inputs)
    forward, gradient = TF32 if on_a_device and dtype == torch.float32 and precision() == "tf32" else LIMITS[dtype]
    limits = [forward if i < answers else gradient for i in range(len(found))]
    if dtype != torch.float64 and any(error > limit for error, limit in zip(found, limits, strict=True)):
        plain, _ = errors(exact, exact, inputs, where)
        limits = [max(limit, 2 * error + torch.finfo(dtype).eps) for limit, error in zip(limits, plain, strict=True)]
    names = [f"answer {i}" if i < answers else f"gradient {i - answers}" for i in range(len(found))]
    return [Verdict(*each) for each in zip(names, found, limits, strict=True)]


def main() -> None:
    from kernels.cases import CASES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", choices=[*CASES, []], metavar="OPERATION")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not interpreting():
        parser.error("there is no CUDA device; with TRITON_INTERPRET=1 the kernels run in Triton's interpreter")
    dtypes = (torch.float32, torch.float16, torch.bfloat16) if device == "cuda" else (torch.float64, torch.float32, torch.bfloat16)
    print("| operation |", " | ".join(f"{str(dtype)[6:]}: answers | gradients" for dtype in dtypes), "|")
    print("| --- " * (1 + 2 * len(dtypes)) + "|")
    failed = False
    for operation in options.operations or CASES:
        cells: list[str] = []
        for dtype in dtypes:
            torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
            with torch.device(device):
                cases = CASES[operation](dtype, 32 if device == "cuda" else 8)
            verdicts: list[Verdict] = []
            for _, call, tensors in cases:
                inputs = [x.detach().requires_grad_(x.is_floating_point()) for x in tensors]
                verdicts += judged(under("triton", call), under("reference", call), inputs, dtype)
            failed = failed or any(each.error > each.limit for each in verdicts)
            for kind in ("answer", "gradient"):
                worst = max((each for each in verdicts if each.what.startswith(kind)), key=lambda each: each.error / each.limit)
                cells.append(f"{worst.error:.1e} of {worst.limit:.0e}{' FAIL' if worst.error > worst.limit else ''}")
        print(f"| `{operation}` |", " | ".join(cells), "|", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
