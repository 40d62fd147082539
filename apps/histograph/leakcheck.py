"""Whether the answer for a graph depends on what else is in its batch. It must not: graphs are served one by one.

In evaluation mode only: batch norm in training mixes the graphs of a batch legitimately.
"""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from apps.histograph.errors import BatchLeakError
from core_attention.segments import Segments
from datamodules.histograph.joining import join

__all__ = ["LeakReport", "batch_of", "changed_by_order", "gradient_leak", "leakcheck"]

Item = Sequence[Tensor]  # x (N,C), edge_index (2,E), edges (E,F) or nothing


class LeakReport(NamedTuple):
    graphs: int
    worst: float  # the largest difference found


def batch_of(items: Sequence[Item]) -> tuple[Tensor, Tensor, Tensor, Segments]:
    """The model's arguments."""
    joined = join(items)
    return joined.nodes.flat, joined.edge_index, joined.edges, Segments(*joined.nodes[1:])


def leakcheck(model: nn.Module, graphs: Sequence[Item], atol: float = 1e-9) -> LeakReport:
    """Answers one by one, in one batch, in reverse, and with a neighbour replaced must agree; else a BatchLeakError names the first
    module whose output differs. Computed in float64 on a copy."""
    twin = copy.deepcopy(model).cpu().double().eval()
    items = [(item[0].double(), item[1], *(part.double() for part in item[2:])) for item in graphs]
    if len(items) < 2:
        raise ValueError("leakcheck compares graphs in a batch with graphs alone: give at least two")
    worst = 0.0
    with torch.no_grad():
        alone = torch.cat([twin(*batch_of([item])).out for item in items])
        others = [items[(i + 1) % len(items)] if i % 2 else item for i, item in enumerate(items)]
        kept = [i for i in range(len(items)) if not i % 2]
        for answer, expected in (
            (twin(*batch_of(items)).out, alone),
            (twin(*batch_of(items[::-1])).out.flip(0), alone),
            (twin(*batch_of(others)).out[kept], alone[kept]),
        ):
            worst = max(worst, float((answer - expected).abs().max()))
            if not worst <= atol:
                where = _first_difference(twin, items, atol)
                raise BatchLeakError(
                    f"the answer for a graph changes by {worst:.1e} with the other graphs of its batch, first in {where}; "
                    "such a model's accuracy is no property of the graphs: repair that module"
                )
    return LeakReport(len(items), worst)


def gradient_leak(model: nn.Module, graphs: Sequence[Item]) -> float:
    """The largest derivative of one graph's answer by another graph's nodes, in float64: exactly zero, else a BatchLeakError."""
    twin = copy.deepcopy(model).cpu().double().eval()
    x_NC, edge_index, edges, segments = batch_of([(item[0].double(), item[1], *(part.double() for part in item[2:])) for item in graphs])
    x_NC.requires_grad_()
    worst = 0.0
    out = twin(x_NC, edge_index, edges, segments).out
    bounds = segments.offsets.tolist()
    for graph, (first, end) in enumerate(pairwise(bounds)):
        (slope_NC,) = torch.autograd.grad(out[graph].sum(), x_NC, retain_graph=True)
        worst = max(worst, *(float(part.abs().max()) for part in (slope_NC[:first], slope_NC[end:]) if part.numel()))
    if worst > 0:
        raise BatchLeakError(
            f"the answer for a graph has a derivative of {worst:.2g} by another graph's nodes; something attends beyond it"
        )
    return worst


def changed_by_order(model: nn.Module, graphs: Sequence[Item]) -> int:
    """How many graphs another order puts into another class, as the model is (float32): a warning, rounding can do it near a tie."""
    order = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = model(*batch_of(graphs)).out
        second = model(*batch_of([graphs[i] for i in order.tolist()])).out[order.argsort()]
    if first.shape[1] < 2:
        return int(((first - second).abs() > 1e-4).any(1).sum())
    return int((first.argmax(1) != second.argmax(1)).sum())


def _first_difference(model: nn.Module, items: Sequence[Item], atol: float) -> str:
    """The first module, in the order of their ends, whose rows of the first graph differ."""
    alone, together = _outputs(model, items[:1]), _outputs(model, items)
    for (name, one), (_, many) in zip(alone, together, strict=False):
        if one.ndim != many.ndim or one.shape[1:] != many.shape[1:] or len(one) > len(many):
            continue
        if not torch.allclose(many[: len(one)], one, rtol=0.0, atol=atol):
            return name or "the model itself"
    return "a part without modules of its own"


def _outputs(model: nn.Module, items: Sequence[Item]) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []

    def hook(name: str) -> Any:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple | list) else output
            if isinstance(first, Tensor) and first.ndim:
                found.append((name, first))

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules()]
    try:
        model(*batch_of(items))
    finally:
        for handle in handles:
            handle.remove()
    return found
