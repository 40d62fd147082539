"""What gates came to: how many are open and closed, how decided they are, and what their channels are worth.

A gate's value by itself says little: (s, W) and (s / a, a W) are the same function for every linear consumer. Effective importance does
not change with that: s * |column of the consumer's weights| * standard deviation of the feature (HAG 2.1).

Shapes: C channels of a gate.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from core_attention.gates.gate_set import GateSet, Link
from core_attention.gates.gated import Gated

__all__ = ["CLOSED", "OPEN", "GateHistory", "GateRow", "effective_importance", "gate_report"]

OPEN, CLOSED = 0.9, 0.1
Convolution = nn.modules.conv._ConvNd  # pyright: ignore[reportPrivateUsage]


class GateRow(NamedTuple):
    """One gate; `entropy` in bits: 1 where its openness is a half, 0 where it is decided. `importance`: the channels' mean, if asked."""

    name: str
    site: str
    channels: int
    mean: float
    least: float
    most: float
    open: float
    closed: float
    entropy: float
    importance: float | None


def gate_report(gates: GateSet, run: Callable[[], Any] | None = None) -> list[GateRow]:
    """A row for each gate. run: sends data through the model, for the importance; see `effective_importance`."""
    worth = {} if run is None else effective_importance(gates, run)
    rows: list[GateRow] = []
    for name, s_C in gates.values().items():
        openness_C = gates.gates[name].openness().detach().double()
        entropy_C = -(torch.xlogy(openness_C, openness_C) + torch.xlogy(1 - openness_C, 1 - openness_C)) / math.log(2)
        rows.append(
            GateRow(
                name,
                gates.gated[name].site,
                len(s_C),
                float(s_C.double().mean()),
                float(s_C.min()),
                float(s_C.max()),
                float((s_C > OPEN).double().mean()),
                float((s_C < CLOSED).double().mean()),
                float(entropy_C.mean()),
                float(worth[name].mean()) if name in worth else None,
            )
        )
    return rows


def effective_importance(gates: GateSet, run: Callable[[], Any]) -> dict[str, Tensor]:
    """(C,) for each gate that `run` used: s * |W[:, c]| over its consumers * std of its features.

    ours: where no consumer is known, of a residual branch say, |W| counts as 1: the sum takes the channel as it is.
    """
    values = gates.values()
    worth: dict[str, Tensor] = {}
    with torch.no_grad(), _watched(gates) as seen:
        run()
    for name, moments in seen.items():
        if moments.count == 0:
            continue
        gated = gates.gated[name]
        std_C = moments.std().reshape(-1, gated.repeat)
        weight_C = _weight(gates.consumers(name), gated.gate.channels * gated.repeat, std_C.device).view_as(std_C)
        worth[name] = values[name].double() * (std_C * weight_C).square().sum(1).sqrt()
    return worth


class Moments:
    """Mean and variance of each channel, over all that was seen."""

    def __init__(self) -> None:
        self.count = 0
        self.sum_C = torch.zeros(())
        self.square_C = torch.zeros(())

    def add(self, x: Tensor, axis: int) -> None:
        x_NC = x.detach().double().movedim(axis, -1).flatten(0, -2)
        self.count += len(x_NC)
        self.sum_C = self.sum_C.to(x_NC) + x_NC.sum(0)
        self.square_C = self.square_C.to(x_NC) + x_NC.square().sum(0)

    def std(self) -> Tensor:
        return (self.square_C / self.count - (self.sum_C / self.count).square()).clamp(min=0).sqrt()


@contextmanager
def _watched(gates: GateSet) -> Generator[dict[str, Moments]]:
    """What goes into every gate while the context lasts."""
    seen = {name: Moments() for name in gates.gates}

    def into(moments: Moments, gated: Gated) -> Callable[..., None]:
        def before(_: nn.Module, args: tuple[Any, ...]) -> None:
            moments.add(args[0], gated.axis)

        def after(_: nn.Module, args: Any, answer: Any) -> None:
            moments.add(answer if isinstance(answer, Tensor) else answer[0], gated.axis)

        return before if gated.side == "input" else after

    handles = [
        gated.register_forward_pre_hook(into(seen[name], gated))
        if gated.side == "input"
        else gated.inner.register_forward_hook(into(seen[name], gated))
        for name, gated in gates.gated.items()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _weight(links: Sequence[Link], channels: int, device: torch.device) -> Tensor:
    """Norm of the weights by which all consumers take each channel."""
    square_C = torch.zeros(channels, dtype=torch.float64, device=device)
    known = False
    for link in links:
        by_input = _by_input(link.module)
        if by_input is None:
            continue
        taken = by_input.flatten(1).square().sum(1)[link.start : link.start + channels * link.spread]
        square_C += taken.reshape(channels, link.spread).sum(1)
        known = True
    return square_C.sqrt() if known else torch.ones_like(square_C)


def _by_input(layer: nn.Module) -> Tensor | None:
    """A linear layer's weights, its input channels first."""
    if isinstance(layer, nn.Linear):
        return layer.weight.detach().double().T
    if not isinstance(layer, Convolution):
        return None
    weight = layer.weight.detach().double()
    return weight if layer.transposed else weight.reshape(layer.groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)


class GateHistory:
    """Histograms of every gate's values over time, as plain data: counts per bin, for each time that `note` was called."""

    def __init__(self, bins: int = 20) -> None:
        if bins < 1:
            raise ValueError(f"a histogram has at least one bin, not {bins}")
        self.bins = bins
        self.steps: list[int] = []
        self.counts: dict[str, list[list[int]]] = {}
        self.highest: dict[str, float] = {}  # bins are of equal width from 0 to here: 1, with `unit` 2

    def note(self, gates: GateSet, step: int) -> None:
        self.steps.append(step)
        for name, s_C in gates.values().items():
            top = self.highest.setdefault(name, 2.0 if gates.gates[name].unit else 1.0)
            counts = torch.histc(s_C.detach().float().cpu(), self.bins, 0.0, top)
            self.counts.setdefault(name, []).append([int(count) for count in counts])

    def state_dict(self) -> dict[str, Any]:
        return {"bins": self.bins, "steps": self.steps, "counts": self.counts, "highest": self.highest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.bins, self.steps, self.counts, self.highest = state["bins"], state["steps"], state["counts"], state["highest"]
