"""Attention over the layers of a history with a gradient of its own: that of the states is written once, in one product.

Autograd would write it twice, for the scores and for the sum, and then add.

Shapes as in reference.py: N nodes, L layers, D width, S graphs, R rows of weights: N, or S where a graph shares its weights.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import autocast_off, is_tracing
from kernels.history_attention import reference

__all__ = ["declines", "history_attention"]


class HistoryAttention(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, states: Tensor, u: Tensor, bias: Tensor | None, offsets: Tensor | None, norm: str, eps: float
    ) -> tuple[Tensor, Tensor]:
        with autocast_off(states):
            states_NLD = states.to(torch.promote_types(states.dtype, torch.float32))
            c_NL = reference.scores(states_NLD, u, bias)
            a_NL, a_RL = reference.share(c_NL, offsets, norm, eps)
            z_ND = (a_NL.unsqueeze(1) @ states_NLD).squeeze(1)
        ctx.save_for_backward(states, u, bias, offsets, c_NL)
        ctx.options = (norm, eps)
        return z_ND.to(states.dtype), a_RL

    @staticmethod
    def backward(ctx: Any, dz_ND: Tensor, da_RL: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        states, u, bias, offsets, c_NL = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # a second derivative is wanted: it comes from the reference
            answers = reference.history_attention(states, u, bias, offsets, *ctx.options)
            wanted = [value for value, need in zip((states, u, bias), needed, strict=True) if need]
            found = iter(torch.autograd.grad(answers, wanted, [dz_ND, da_RL], create_graph=True))
            return *(next(found) if need else None for need in needed), None, None, None
        with autocast_off(states):
            states_NLD, g_ND, u_full = states.to(c_NL.dtype), dz_ND.to(c_NL.dtype), u.to(c_NL.dtype)
            with torch.enable_grad():  # the weights are small: their derivative is autograd's
                c_NL = c_NL.detach().requires_grad_()
                a_NL, a_RL = reference.share(c_NL, offsets, *ctx.options)
            da_NL = (states_NLD @ g_ND.unsqueeze(-1)).squeeze(-1)
            (dc_NL,) = torch.autograd.grad([a_NL, a_RL], [c_NL], [da_NL, da_RL])
            dstates = du = dbias = None
            if needed[0]:  # a g + dc u
                left_NL2 = torch.stack([a_NL.detach(), dc_NL], 2)
                dstates = (left_NL2 @ torch.stack([g_ND, u_full.expand_as(g_ND)], 1)).to(states.dtype)
            if needed[1]:
                du = (dc_NL.unsqueeze(1) @ states_NLD).squeeze(1)
                du = (du if u.ndim == 2 else du.sum(0)).to(u.dtype)
            if bias is not None and needed[2]:
                dbias = (dc_NL if bias.ndim == 2 else dc_NL.sum(0)).to(bias.dtype)
        return dstates, du, dbias, None, None, None


def history_attention(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> tuple[Tensor, Tensor]:
    return HistoryAttention.apply(states, u, bias, offsets, norm, eps)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def declines(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> str | None:
    if is_tracing() or torch.compiler.is_compiling():
        return "its gradient cannot be saved with a program"
    return "there are no scores" if u is None else None
