"""A module with a gate on its answer, or on what it is given. Nothing is patched: compilers, scripting and export see plain modules.

Shapes: C channels of the gate.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from core_attention.gates.gate import Gate

__all__ = ["End", "Gated", "GatedCall"]

SIDES = ("output", "input")


class End(NamedTuple):
    """A layer that a gate may be folded into. As a consumer it takes channel c at inputs start + c * spread ... + spread - 1."""

    module: nn.Module
    start: int = 0
    spread: int = 1


class Gated(nn.Module):
    """Multiplies the answer of `inner` along `axis` by the gate's values; with side "input" what `inner` is given.

    repeat: each value serves so many neighbouring channels (a head's width, a stream's).
    site: the kind of place, for reports. producers, consumers: layers that the gate may be folded into, as far as they are known.

    State: that of `inner` alone loads, too (under its own names, the gate stays as it is); `core_attention.gates.plain_state` gives it.
    """

    def __init__(
        self,
        inner: nn.Module,
        gate: Gate,
        axis: int,
        side: str = "output",
        repeat: int = 1,
        site: str = "",
        producers: tuple[End, ...] = (),
        consumers: tuple[End, ...] = (),
    ) -> None:
        super().__init__()
        if side not in SIDES:
            raise ValueError(f"a gate's side is {' or '.join(SIDES)}, not {side!r}")
        if repeat < 1:
            raise ValueError(f"repeat is at least 1, not {repeat}")
        self.inner = inner
        self.gate = gate
        self.axis = axis
        self.side = side
        self.repeat = repeat
        self.site = site
        self.producers = producers  # in a tuple modules are not registered: they live elsewhere in the tree, and a deep copy follows them
        self.consumers = consumers
        self.register_load_state_dict_pre_hook(_from_plain)  # pyright: ignore[reportUnknownMemberType]

    def forward(self, x: Tensor) -> Tensor:
        if self.side == "input":
            return self.inner(self.scale(x))
        return self.scale(self.inner(x))

    def scale(self, x: Tensor) -> Tensor:
        if self.gate.hardness == "off":
            return x
        s = self.gate.values()
        if self.repeat > 1:
            s = s.unsqueeze(1).expand(-1, self.repeat).flatten()
        axis = self.axis if self.axis >= 0 else x.dim() + self.axis
        return x * s.to(x.dtype).view([-1] + [1] * (x.dim() - axis - 1))

    def extra_repr(self) -> str:
        return f"axis={self.axis}, side={self.side!r}{f', repeat={self.repeat}' if self.repeat > 1 else ''}"


class GatedCall(Gated):
    """Around a module of several arguments or answers: the first of each is gated, the others pass. Not for TorchScript."""

    def forward(self, *args: Any, **options: Any) -> Any:
        if self.side == "input":
            return self.inner(self.scale(args[0]), *args[1:], **options)
        answer = self.inner(*args, **options)
        if isinstance(answer, Tensor):
            return self.scale(answer)
        first, *others = answer
        return (self.scale(first), *others)


def _from_plain(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Names of an ungated state become ours; where the state knows no gate, the gate stays as it is."""
    assert isinstance(module, Gated)
    gate: Mapping[str, Tensor] = module.gate.state_dict(prefix=f"{prefix}gate.")
    given = [name for name in state if name.startswith(prefix)]
    ours = any(name in state for name in gate) or (
        not hasattr(module.inner, "inner") and all(name.startswith(f"{prefix}inner.") for name in given)
    )
    for name in () if ours else given:
        state[f"{prefix}inner.{name.removeprefix(prefix)}"] = state.pop(name)
    for name, value in gate.items():
        state.setdefault(name, value)
