"""A program is what gets exported: from one raw item to named answers, in plain tensors, with all that an answer needs inside.

A subclass writes

* `prepare(self, item: Tensor) -> Tensor`, marked `@torch.jit.export`: one raw item (uint8 H,W,3 for pictures) to `x`.
  Programs that take their inputs ready (graphs) leave it out.
* `forward(self, x: Tensor) -> Dict[str, Tensor]`: a batch of `x`. Ragged programs take `forward(flat, offsets)`.
* further methods marked `@torch.jit.export`, named in `also` (`compare`, `encode`, `step`).
* `examples()` and `metadata()`, which stay in Python and are not scripted.

What is written as TorchScript is `torch.jit.script(program)`. Parts that scripting cannot read (attention trunks with Python in
them) are named in `traced()`: they are traced at one size, run again at others, and refused when they kept a size. Loops of
unknown length stay in the scripted methods, around traced parts. `forward` should call such parts, not hold their code.

    class Classify(Program):
        def __init__(self, model, preprocess): ...

        @torch.jit.export
        def prepare(self, item: Tensor) -> Tensor:
            return self.preprocess(item)

        def forward(self, x: Tensor) -> Dict[str, Tensor]:
            return {"probs": self.model(x).softmax(-1)}

        def traced(self):
            return {"model": (torch.rand(2, 3, 224, 224), [torch.rand(1, 3, 224, 224), torch.rand(5, 3, 224, 224)])}
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from apps.base.errors import FailureError

__all__ = ["Call", "Program", "close", "method_names", "named", "quiet_jit", "trace", "with_traces"]

TOLERANCE = 1e-5
SIZES = ((48, 64), (64, 48), (61, 61), (5, 7), (203, 320))  # landscape, portrait, square, tiny, large: where resizing rules differ
BATCHES = (2, 1, 5)


class Call(NamedTuple):
    """One call that parity makes of the program and of the file: a method and its arguments."""

    method: str
    args: tuple[Any, ...]


class Program(nn.Module):
    also: ClassVar[tuple[str, ...]] = ()  # further exported methods

    def examples(self) -> list[Any]:
        """Real raw items of several sizes (a tuple where prepare takes several arguments); without prepare, items of forward's batch."""
        raise NotImplementedError

    def metadata(self) -> dict[str, Any]:
        """app, program, labels, answer, batching, input, licence, preprocessing: what a reader of the file needs to know.

        answer: what a row of `predict` shows, a list of {"output": name, "as": how}, where apps/base/predict/answer.py says what `how`
        may be. input: "image", or a word for what the card's reader gives. preprocessing: what `prepare` does. square: whether it takes
        only pictures that are as wide as high.
        batching: "stack" (a batch is a stack of x of one shape), "ragged" (forward(flat, offsets); `along` names the outputs that have
        a row an element, the others have a row an item), "graph" (forward(x, edge_index, index, count), `along` likewise),
        "single" (one x at a time).
        """
        raise NotImplementedError

    def weights(self) -> nn.Module:
        """The module whose weights a .safetensors file holds: the pure model, so that `fit --init` finds its names."""
        return self

    def noise(self, generator: torch.Generator) -> list[Any]:
        """Random raw items of several sizes; pictures here, programs of other inputs replace it."""
        return [torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator) for height, width in SIZES]

    def calls(self, generator: torch.Generator) -> list[Call]:
        """What parity runs. The first call of a method is also what pt2 is exported from: its free sizes are 2 or more there.

        Programs whose forward takes something else than a stack of `x`, or with methods of their own, replace it.
        """
        items = [*self.examples(), *self.noise(generator)]
        calls: list[Call] = []
        if hasattr(self, "prepare"):
            calls += [Call("prepare", arguments(item)) for item in items]
            items = [self.prepare(*call.args) for call in calls]  # pyright: ignore[reportCallIssue]
        for group in _by_shape(items):
            calls += [Call("forward", (torch.stack([group[(size + i) % len(group)] for i in range(size)]),)) for size in BATCHES]
        return calls

    def takes_items(self) -> bool:
        """Whether `prepare` can do with the item alone, as this program stands; else the file has none where that can be left out."""
        return True

    def margins(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """For integer outputs, how clear each decision was: below 1e-4, rounding may turn it, and parity counts it instead of refusing.

        Called with the outputs of forward and of each method in `also`.
        """
        return {}

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        """Submodules that are traced, not scripted: dotted name -> (example, others at other sizes)."""
        return {}

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """For pt2: which sizes of each argument are free. Here: height and width of prepare's item, else the batch."""
        free = torch.export.Dim.DYNAMIC
        if method == "prepare":
            return ({0: free, 1: free}, *({} if isinstance(arg, Tensor) else None for arg in args[1:]))
        return tuple({0: free} if isinstance(arg, Tensor) else None for arg in args)


def arguments(item: Any) -> tuple[Any, ...]:
    return item if isinstance(item, tuple) else (item,)


def _by_shape(items: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.Size, list[Tensor]] = {}
    for item in items:
        groups.setdefault(item.shape, []).append(item)
    return list(groups.values())


def method_names(program: Program) -> list[str]:
    return [*(["prepare"] if hasattr(program, "prepare") and program.takes_items() else []), "forward", *program.also]


def named(method: str, result: Any) -> dict[str, Tensor]:
    """A method's result as named outputs; a lone tensor gets its method's name, a tuple's parts their numbers."""
    if isinstance(result, Tensor):
        return {method: result}
    if isinstance(result, dict):
        return dict(result)
    if isinstance(result, (tuple, list)):
        return {f"{method}.{i}": part for i, part in enumerate(result)}
    raise TypeError(f"{method} returns {type(result).__name__}; a program returns a tensor or a dict of tensors")


def close(got: Tensor, expected: Tensor) -> tuple[bool, float]:
    """Whether |a-b| <= 1e-5 max(1,|b|) everywhere, and the worst of |a-b| / max(1,|b|). NaN and infinities must stand where they stood."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return False, float("inf")
    if expected.numel() == 0:
        return True, 0.0
    a, b = got.double(), expected.double()
    same = (a == b) | (a.isnan() & b.isnan())
    difference = torch.where(same, 0.0, (a - b).abs() / b.abs().clamp(min=1.0)).nan_to_num(nan=float("inf"), posinf=float("inf"))
    worst = float(difference.max())
    return worst <= TOLERANCE, worst


def trace(module: nn.Module, example: Any, check_at: Sequence[Any], name: str = "") -> torch.jit.ScriptModule:
    """Trace the module at `example` and run it at the other examples: a size, count or length that was kept is refused by name."""
    name = name or type(module).__name__
    if not check_at:
        raise ValueError(f"trace of {name}: give examples of other sizes in check_at")
    with quiet_jit(), torch.no_grad():
        traced: Any = torch.jit.trace(module, arguments(example), check_trace=False, strict=False)
        for other in check_at:
            shapes = ", ".join("x".join(map(str, arg.shape)) if isinstance(arg, Tensor) else repr(arg) for arg in arguments(other))
            expected = named(name, module(*arguments(other)))
            try:
                got = named(name, traced(*arguments(other)))
            except RuntimeError as error:
                raise FailureError(f"{name} kept a size when it was traced: it fails at {shapes}: {last_line(error)}") from error
            for key, value in expected.items():
                fits, worst = close(got[key], value)
                if not fits:
                    raise FailureError(f"{name} kept a size or a value when it was traced: output {key} is off by {worst:.1e} at {shapes}")
    return traced


def with_traces(program: Program) -> Program:
    """A copy of the program whose parts named in `traced()` are traced."""
    twin = copy.deepcopy(program)
    for name, (example, others) in program.traced().items():
        twin.set_submodule(name, trace(program.get_submodule(name), example, others, name))
    return twin


def last_line(error: BaseException) -> str:
    """Torch's messages are pages; their last line says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@contextlib.contextmanager
def quiet_jit() -> Iterator[None]:
    """TorchScript works, and warns at each call that it is deprecated: silent in our own calls. What a trace keeps is checked instead."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # pyright: ignore[reportPrivateImportUsage]
        yield
