"""The forms in which a mixer can be run, and what is run of each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from apps.base.toolchain import missing_compiler
from core_attention import Mixer, build_mixer
from kernels.dispatch import BACKENDS, use_backend

__all__ = ["BATCH", "HEADS", "PASSES", "WIDTH", "Arm", "compiled", "forms", "inputs", "make", "pass_call"]

WIDTH, HEADS, BATCH = 256, 4, 1
PATTERNS: dict[str, dict[str, Any]] = {
    "ns": {}, "cs": {"causal": True}, "nc": {"context_dim": WIDTH}, "cc": {"causal": True, "context_dim": WIDTH},
}  # fmt: skip
# What a mixer must be told, or cannot be built with HEADS heads without.
OPTIONS: dict[str, dict[str, Any]] = {
    "differential": {"depth": 0},
    "grouped_differential": {"depth": 0, "ratio": 2},
    "lka": {"heads": 1},
    "ulsam": {"heads": 1},
}
PASSES = ("forward", "both")


@dataclass(frozen=True)
class Arm:
    """A mixer in one form: under one backend, compiled or not."""

    mixer: Mixer
    form: str  # reference, torch, triton, compiled
    run: nn.Module | Callable[..., Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.mixer.spec.name, self.form

    @contextmanager
    def backend(self) -> Iterator[None]:
        with use_backend(self.form if self.form in BACKENDS else "auto"):
            yield


def make(name: str, pattern: str, device: torch.device) -> Mixer:
    torch.manual_seed(0)
    return build_mixer(name, WIDTH, **{"heads": HEADS, **PATTERNS[pattern], **OPTIONS.get(name, {})}).to(device)


def inputs(mixer: Mixer, n: int, device: torch.device) -> dict[str, Any]:
    """n tokens, as many of a context, and the grid nearest to a square (one row where order counts), as the mixer needs them."""
    generator = torch.Generator().manual_seed(n)
    given: dict[str, Any] = {"x": torch.randn(BATCH, n, WIDTH, generator=generator).to(device)}
    if mixer.context_dim is not None:
        given["context"] = torch.randn(BATCH, n, WIDTH, generator=generator).to(device)
    if mixer.spec.needs_grid:
        height = 1 if mixer.causal else max(h for h in range(1, int(n**0.5) + 1) if n % h == 0)
        given["grid"] = (height, n // height)
    return given


def forms(mixer: Mixer, given: dict[str, Any]) -> list[Arm]:
    """The reference, and the backends under which something else happens."""
    arms: list[Arm] = []
    seen: list[list[str]] = []
    for backend in BACKENDS:
        with _Operations() as operations, torch.no_grad(), use_backend(backend):
            mixer.eval()(**given)
        if operations.names not in seen:
            seen.append(operations.names)
            arms.append(Arm(mixer, backend, mixer))
    return arms


class _Operations(TorchDispatchMode):
    """Writes down which operations run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def compiled(mixer: Mixer, device: torch.device) -> Arm | str:
    """The mixer through torch.compile, or why not. It is compiled when it is first called."""
    if device.type == "cpu" and (reason := missing_compiler()):
        return reason
    return Arm(mixer, "compiled", torch.compile(_own_code(mixer), fullgraph=True, dynamic=True))


def _own_code(mixer: Mixer) -> Callable[..., Any]:
    """torch.compile keeps its few versions of a function with the code that they are of, and one forward serves all mixers."""

    def call(**given: Any) -> Any:
        return mixer(**given)

    return FunctionType(call.__code__.replace(co_name=f"call_{mixer.spec.name}"), call.__globals__, closure=call.__closure__)


def pass_call(arm: Arm, given: dict[str, Any], which: str) -> Callable[[], object]:
    """The forward pass in eval mode without gradients, or forward and backward in training mode, towards inputs and weights."""
    return partial(_forward if which == "forward" else _both, arm, given)


def _forward(arm: Arm, given: dict[str, Any]) -> Tensor:
    arm.mixer.eval()
    with torch.no_grad(), arm.backend():
        return arm.run(**given)


def _both(arm: Arm, given: dict[str, Any]) -> tuple[Tensor | None, ...]:
    arm.mixer.train()
    leaves = {name: value.detach().requires_grad_() if isinstance(value, Tensor) else value for name, value in given.items()}
    wanted = [value for value in leaves.values() if isinstance(value, Tensor)] + list(arm.mixer.parameters())
    with arm.backend():
        y = arm.run(**leaves)
        return torch.autograd.grad(y, wanted, y.detach(), allow_unused=True)
