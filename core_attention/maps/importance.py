"""How much a model's loss depends on each head (Michel et al., arXiv 1905.10650), beside what chance would show.

Shapes: B batch, N tokens, D width, H heads.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Generator as Random
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from core_attention.maps.recorder import outermost
from core_attention.mixers.heads import Heads

__all__ = ["Importance", "head_gates", "head_importance", "leave_one_out"]

R = TypeVar("R")


class Importance(NamedTuple):
    score: Tensor  # (H,)
    control: Tensor  # (H,): the same with the labels shuffled; a score like it says nothing about the labels


@contextmanager
def head_gates(model: nn.Module) -> Generator[dict[str, Tensor]]:
    """A factor on the answer of every head, all 1: name of the mixer -> gate (H,), with gradients. Change them in place.

    The gates sit before `proj`, which gets the heads side by side.
    """
    gates: dict[str, Tensor] = {}
    handles: list[RemovableHandle] = []
    try:
        for name, mixer in outermost(model, Heads).items():
            weight = next(mixer.proj.parameters())  # its own, or of what a gate of another kind is around
            gates[name] = torch.ones(mixer.heads, device=weight.device, dtype=weight.dtype, requires_grad=True)
            handles.append(mixer.proj.register_forward_pre_hook(partial(_scale, gates[name])))
        if not gates:
            raise ValueError(f"there is no mixer of heads in {type(model).__name__}; only those have gates")
        yield gates
    finally:
        for handle in handles:
            handle.remove()


def _scale(gate_H: Tensor, _: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    (heads_BND,) = args
    return ((heads_BND.unflatten(-1, (len(gate_H), -1)) * gate_H.to(heads_BND.dtype)[:, None]).flatten(-2),)


def head_importance(
    model: nn.Module, run: Callable[[], R], loss: Callable[[R, Tensor], Tensor], labels_B: Tensor, generator: Random | None = None
) -> dict[str, Importance]:
    """|d loss / d gate| of every head at gate 1, by one backward pass; the parameters' own gradients stay as they are.

    Shuffling draws from `generator`. A mixer that `run` does not use is left out.

    >>> head_importance(model, lambda: model(pictures), cross_entropy, labels)
    """
    shuffled_B = _prepare(model, labels_B, generator)
    with torch.enable_grad(), head_gates(model) as gates:
        answer = run()
        names, leaves = list(gates), list(gates.values())
        score = torch.autograd.grad(loss(answer, labels_B), leaves, retain_graph=True, allow_unused=True)
        control = torch.autograd.grad(loss(answer, shuffled_B), leaves, allow_unused=True)
    pairs = cast("Iterator[tuple[str, Tensor | None, Tensor]]", zip(names, score, control, strict=True))
    return {name: Importance(s.abs(), c.abs()) for name, s, c in pairs if s is not None}


@torch.no_grad()
def leave_one_out(
    model: nn.Module, run: Callable[[], R], loss: Callable[[R, Tensor], Tensor], labels_B: Tensor, generator: Random | None = None
) -> dict[str, Importance]:
    """How much the loss grows when a head is silent, one head at a time: as many runs as there are heads, and one.

    Arguments as of `head_importance`, to which it compares.
    """
    shuffled_B = _prepare(model, labels_B, generator)
    found: dict[str, Importance] = {}
    with head_gates(model) as gates:
        answer = run()
        whole = torch.stack([loss(answer, labels_B), loss(answer, shuffled_B)])
        for name, gate_H in gates.items():
            rows: list[Tensor] = []
            for head in range(len(gate_H)):
                gate_H[head] = 0
                answer = run()
                rows.append(torch.stack([loss(answer, labels_B), loss(answer, shuffled_B)]) - whole)
                gate_H[head] = 1
            found[name] = Importance(*torch.stack(rows, 1).unbind(0))
    return found


def _prepare(model: nn.Module, labels_B: Tensor, generator: Random | None) -> Tensor:
    """The labels in another order."""
    if model.training:
        raise ValueError("call model.eval() first: in training mode dropout would be measured, not heads")
    if labels_B.ndim < 1 or bool((labels_B == labels_B[:1]).all()):
        raise ValueError("all labels are equal: shuffling them controls nothing; take samples of several classes")
    shuffled_B = labels_B
    while torch.equal(shuffled_B, labels_B):
        order = torch.randperm(len(labels_B), generator=generator, device=None if generator is None else generator.device)
        shuffled_B = labels_B[order.to(labels_B.device)]
    return shuffled_B
