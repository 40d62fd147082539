"""Delta attention residuals: what a sublayer sees is the residual stream plus a softmax mean of all that earlier sublayers added to it.

Sources v_0 = the embedding, then each sublayer's output. Before sublayer i, for every token: a = softmax_n(w_i . RMSNorm(v_n)),
input = h + sum_n a_n v_n. The stream itself stays additive: h += output (arXiv 2605.18855).

Shapes: `...` any leading sizes, D width, n sources.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kernels.dispatch import autocast_off

__all__ = ["DeltaResidual", "Deltas"]


class Deltas(NamedTuple):
    """The way through a stack so far."""

    h: Tensor  # (..., D), the residual stream
    sources: tuple[Tensor, ...]  # (..., D) each; the last may still grow
    added: int  # sublayers that have spoken


class DeltaResidual(nn.Module):
    """Holds the routing of a whole stack of sublayers, each of which brings its own norm.

    block: so many sublayers share one source, the sum of their outputs; the practical choice is about eight sources for the depth.
    The unfinished sum is a source, too. gated: a learned factor before each routed mean, zero at first: at the start the stack is
    a plain residual one, whose trained weights can be taken over.

    >>> depth = DeltaResidual(64, sublayers=4)
    >>> y = depth(x, [attention1, mlp1, attention2, mlp2])
    """

    def __init__(self, dim: int, sublayers: int, block: int = 1, gated: bool = False) -> None:
        super().__init__()
        if sublayers < 1 or block < 1:
            raise ValueError(f"DeltaResidual: sublayers={sublayers} and block={block} are at least 1")
        self.sublayers = sublayers
        self.block = block
        self.w = nn.Parameter(torch.zeros(sublayers, dim))  # zero: uniform weights at first
        self.alpha = nn.Parameter(torch.zeros(sublayers)) if gated else None

    def forward(self, x: Tensor, sublayers: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        """The stream after all sublayers. A stack that needs more than x in its sublayers goes by `start`, `route` and `add` itself."""
        if len(sublayers) != self.sublayers:
            raise ValueError(f"DeltaResidual: built for {self.sublayers} sublayers, not {len(sublayers)}")
        state = self.start(x)
        for sublayer in sublayers:
            state = self.add(state, sublayer(self.route(state)))
        return state.h

    def start(self, x: Tensor) -> Deltas:
        return Deltas(x, (x,), 0)

    def route(self, state: Deltas) -> Tensor:
        """What the next sublayer sees."""
        a = self.weights(state)
        with autocast_off(state.h):
            mixed = torch.stack([a_n.unsqueeze(-1) * v.to(a.dtype) for a_n, v in zip(a.unbind(0), state.sources, strict=True)]).sum(0)
            if self.alpha is not None:
                mixed = self.alpha[state.added].to(a.dtype) * mixed
        return state.h + mixed.to(state.h.dtype)

    def weights(self, state: Deltas) -> Tensor:
        """(n, ...), in at least float32: how the next sublayer weighs the sources, token by token."""
        full = torch.promote_types(state.h.dtype, torch.float32)
        with autocast_off(state.h):
            w_D = self.w[state.added].to(full)
            # RMSNorm without a scale of its own: w has one.
            scores = [(v.to(full) @ w_D) * (v.to(full).square().mean(-1) + 1e-6).rsqrt() for v in state.sources]
            return torch.stack(scores).softmax(0)

    def add(self, state: Deltas, out: Tensor) -> Deltas:
        """The state after a sublayer has answered `out`."""
        sources = state.sources
        if state.added % self.block == 0:
            sources = (*sources, out)
        else:
            sources = (*sources[:-1], sources[-1] + out)
        return Deltas(state.h + out, sources, state.added + 1)
