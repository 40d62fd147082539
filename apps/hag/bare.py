"""The network as it leaves: gates folded into the layers around them, what cannot be folded a constant factor."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from apps.hag.model import SCALE
from core_attention.gates import Gated, shrink

__all__ = ["Factor", "bare"]


class Factor(nn.Module):
    """A gate that could not be folded, as it is in evaluation: a multiplication by constants."""

    factor: Tensor

    def __init__(self, gated: Gated) -> None:
        super().__init__()
        self.inner = gated.inner
        value_C = gated.gate.eval().values().detach().repeat_interleave(gated.repeat)
        self.before = gated.side == "input"
        self.register_buffer("factor", value_C if gated.axis == -1 else value_C.view([-1] + [1] * (3 - gated.axis)))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.factor) if self.before else self.inner(x) * self.factor


def bare(network: nn.Module, planes: int, side: int) -> tuple[nn.Module, dict[str, Any]]:
    """A copy without gates and without the channels that closed ones leave unread, and what became of them: plain values for the metadata.

    network: of pictures, planes and crop numbers.
    """
    if not any(isinstance(module, Gated) for module in network.modules()):
        return deepcopy(network).eval(), {}
    generator = torch.Generator().manual_seed(0)
    example = tuple(torch.randn(2, *size, generator=generator) for size in ((3, side, side), (planes, side, side), (SCALE,)))
    folded, report = shrink(network.eval(), example)
    for name, module in list(folded.named_modules()):
        if isinstance(module, Gated):
            folded.set_submodule(name, Factor(module))
    return folded.eval(), {
        "folded": dict(report.fold.folded),
        "kept": dict(report.fold.kept),
        "cut": [list(cut) for cut in report.cuts],
        "error": report.fold.error,
    }
