"""What the mixers of a model were given, so that their maps can be computed when somebody asks for them.

Shapes: B batch, N query tokens, M key tokens, D width, H heads.
"""

import inspect
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from core_attention.contract import Mixer

__all__ = ["Call", "Recording", "outermost", "record"]

K = TypeVar("K", bound=nn.Module)

_SIGNATURE = inspect.signature(Mixer.forward)


class _Asking(threading.local):
    """Whether the calls of this thread are ours, made to compute a map, and so are not to be kept."""

    def __init__(self) -> None:
        self.now = False


_asking = _Asking()


@dataclass(frozen=True)
class Call:
    """One use of a mixer: what it was given, and under which autocast."""

    mixer: Mixer
    inputs: Mapping[str, Any]  # of x, context, mask, grid; or segments
    name: str = ""
    autocast: torch.dtype | None = None
    grad: bool = True  # False: maps are computed without gradients
    versions: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())  # of the tensors, when they were kept

    def __str__(self) -> str:
        return f"{self.name} ({self.mixer.spec.name})" if self.name else self.mixer.spec.name

    def map(self, need: str = "full") -> Tensor:
        """Full map (B,H,N,M), head-mean map (B,N,M), row of query 0 (B,H,M) or log-sum-exp (B,H,N)."""
        if need == "none" or need not in self.mixer.spec.needs:
            able = ", ".join(sorted(self.mixer.spec.needs - {"none"})) or "no maps"
            raise ValueError(f"{self} cannot give need={need!r}; it gives {able}")
        with self.again():
            return self.mixer(**self.inputs, need=need)[1]

    @contextmanager
    def again(self) -> Generator[None]:
        """Within the block the mixer computes as it did then, but in eval mode: maps know no dropout, and asking changes nothing."""
        if "segments" in self.inputs:
            raise ValueError(f"{self} ran on segments, of which there are no maps; run one segment as a batch of one")
        for name, version in self.versions.items():
            if self.inputs[name]._version != version:
                raise RuntimeError(f"{self}: its {name} was overwritten in place after the call; maps of it would be wrong")
        modes = {module: module.training for module in self.mixer.modules()}
        device = self.inputs["x"].device.type
        before, _asking.now = _asking.now, True
        self.mixer.eval()
        try:
            with (
                torch.set_grad_enabled(self.grad and torch.is_grad_enabled()),
                torch.autocast(device, dtype=self.autocast, enabled=self.autocast is not None),
            ):
                yield
        finally:
            _asking.now = before
            for module, training in modes.items():
                module.training = training


class Recording:
    """The calls of the model's last run, in their order. Weights that are used twice in one run are two calls."""

    def __init__(self, grad: bool) -> None:
        self.grad = grad
        self.calls: list[Call] = []

    @property
    def names(self) -> list[str]:
        """Of the mixers that were called, in the order of their first calls."""
        return list(dict.fromkeys(call.name for call in self.calls))

    def call(self, name: str, index: int | None = None) -> Call:
        """The call of the mixer `name`; `index` says which, where there were several."""
        found = [call for call in self.calls if call.name == name]
        if not found:
            raise ValueError(f"no mixer {name!r} was called; there are {', '.join(self.names) or 'none'}")
        if index is None and len(found) > 1:
            raise ValueError(f"{found[0]} was called {len(found)} times; say which by index=0..{len(found) - 1}")
        if not 0 <= (index or 0) < len(found):
            raise ValueError(f"{found[0]} was called {len(found)} times; there is no index={index}")
        return found[index or 0]

    def map(self, name: str, need: str = "full", index: int | None = None) -> Tensor:
        """As `Call.map`: computed anew from the kept inputs and the weights as they are now."""
        return self.call(name, index).map(need)

    def begin(self, *_: Any) -> None:
        """The model runs anew."""
        if not _asking.now:  # the model may be a mixer itself
            self.calls.clear()

    def keep(self, name: str, mixer: Mixer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # Activation checkpointing calls the mixer once more in the backward pass.
        if _asking.now or torch._C._current_graph_task_id() != -1:  # pyright: ignore[reportPrivateUsage]
            return
        given = {k: v for k, v in _SIGNATURE.bind(mixer, *args, **kwargs).arguments.items() if k not in ("self", "need") and v is not None}
        if not self.grad:
            given = {k: v.detach() if isinstance(v, Tensor) else v for k, v in given.items()}
        versions = {k: v._version for k, v in given.items() if isinstance(v, Tensor) and not v.is_inference()}
        device = given["x"].device.type
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        self.calls.append(Call(mixer, given, name, autocast, self.grad, versions))


def outermost(model: nn.Module, kind: type[K]) -> dict[str, K]:
    """The modules of this kind by their names; not those within another one."""
    found: dict[str, K] = {}
    for name, module in cast("Iterator[tuple[str, nn.Module]]", model.named_modules()):
        if isinstance(module, kind) and not any(outer == "" or name.startswith(f"{outer}.") for outer in found):
            found[name] = module
    return found


@contextmanager
def record(model: nn.Module, grad: bool = False) -> Generator[Recording]:
    """Keep what every mixer of `model` is given while the model runs as it is; a new run of the model replaces the last one.

    grad: keep the graph too, so that maps can be differentiated. Of a mixer within a mixer only the outer one is kept.
    What runs beside a mixer's forward (`mixer.mix`, `mixer.project`) is not seen, nor is what torch.compile has compiled.

    >>> with record(model) as recording:
    ...     model(pictures)
    >>> recording.map("blocks.0.attn", need="mean")
    """
    recording = Recording(grad)
    found = outermost(model, Mixer)
    if not found:
        raise ValueError(f"there is no mixer in {type(model).__name__}; maps are of mixers")

    handles: list[RemovableHandle] = []
    try:
        handles.append(model.register_forward_pre_hook(recording.begin))
        for name, mixer in found.items():
            handles.append(mixer.register_forward_pre_hook(partial(recording.keep, name), with_kwargs=True))
        yield recording
    finally:
        for handle in handles:
            handle.remove()
