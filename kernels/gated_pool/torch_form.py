"""Gated attention pooling, a few thousand tokens at a time: hidden units live only while their tokens are looked at.

Kept for the gradient are x itself, the weights of the tokens (T,K) and the answer; what is between is computed again.

Shapes as in reference.py, and C tokens at a time: T tokens of all segments, S segments, D width, H hidden units, K columns of scores.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.dispatch import autocast_off, is_tracing
from kernels.gated_pool import reference
from kernels.ragged import segment_of, softmax_parts

__all__ = ["declines", "gated_pool"]

CHUNK = 2048  # tokens; at D = 512 the product of weights and tokens then takes 4 MiB


class Net(NamedTuple):
    """The network of the scores, V and U side by side so that a chunk of tokens is read once. In full precision."""

    stacked: Tensor  # (D,G): G = 2 H, or H without U
    bias: Tensor | None  # (G,)
    w: Tensor  # (H,K)
    act: str
    gated: bool

    def units(self, x_CD: Tensor) -> tuple[Tensor, Tensor | None]:
        """(activated (C,H), gate (C,H) or None)."""
        a_CG = x_CD @ self.stacked if self.bias is None else torch.addmm(self.bias, x_CD, self.stacked)
        hidden = self.w.shape[0]
        t_CH = a_CG[:, :hidden]
        t_CH = t_CH.tanh() if self.act == "tanh" else t_CH.relu()
        return t_CH, a_CG[:, hidden:].sigmoid() if self.gated else None


def chunks(x_TD: Tensor) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, x_TD.shape[0], CHUNK)]


def net(V: Tensor, U: Tensor | None, w: Tensor, bv: Tensor | None, bu: Tensor | None, act: str, full: torch.dtype) -> Net:
    bias = None
    if bv is not None or bu is not None:
        parts = [bv] if U is None else [bv, bu]
        bias = torch.cat([V.new_zeros(V.shape[1], dtype=full) if part is None else part.to(full) for part in parts])
    stacked = V if U is None else torch.cat([V, U], 1)
    return Net(stacked.to(full), bias, w.to(full), act, U is not None)


class GatedPool(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        x: Tensor,
        V: Tensor,
        U: Tensor | None,
        w: Tensor,
        bv: Tensor | None,
        bu: Tensor | None,
        offsets: Tensor,
        act: str,
    ) -> tuple[Tensor, Tensor]:
        full = torch.promote_types(x.dtype, torch.float32)
        with autocast_off(x):
            the = net(V, U, w, bv, bu, act, full)
            scores_TK = x.new_empty((x.shape[0], w.shape[1]), dtype=full)
            for here in chunks(x):
                t_CH, q_CH = the.units(x[here].to(full))
                torch.mm(t_CH if q_CH is None else t_CH.mul_(q_CH), the.w, out=scores_TK[here])
            segment_T = segment_of(x[:, 0], offsets)
            weights_TK, lse_SK = softmax_parts(scores_TK, segment_T, offsets)
            z_SKD = x.new_zeros((offsets.shape[0] - 1, w.shape[1], x.shape[1]), dtype=full)
            for here in chunks(x):
                z_SKD.index_add_(0, segment_T[here], weights_TK[here].unsqueeze(-1) * x[here].to(full).unsqueeze(1))
        ctx.save_for_backward(x, V, U, w, bv, bu, offsets, weights_TK, z_SKD, segment_T)
        ctx.act = act
        return z_SKD.to(x.dtype), lse_SK

    @staticmethod
    def backward(ctx: Any, dz_SKD: Tensor, dlse_SK: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, V, U, w, bv, bu, offsets, weights_TK, z_SKD, segment_T = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted: it comes from the reference
            inputs = (x, V, U, w, bv, bu)
            z_and_lse = reference.gated_pool(x, V, U, w, offsets, bv, bu, ctx.act)
            wanted = [value for value, needed in zip(inputs, ctx.needs_input_grad, strict=False) if needed]
            found = iter(torch.autograd.grad(z_and_lse, wanted, [dz_SKD, dlse_SK], create_graph=True))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:6]), None, None
        full = weights_TK.dtype
        with autocast_off(x):
            the = net(V, U, w, bv, bu, ctx.act, full)
            dz_SKD = dz_SKD.to(full)
            rest_SK = dlse_SK - (z_SKD * dz_SKD).sum(-1)
            dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
            dstacked_DG, dw_HK = torch.zeros_like(the.stacked), torch.zeros_like(the.w)
            dbias_G = dstacked_DG.new_zeros(dstacked_DG.shape[1])
            for here in chunks(x):
                x_CD, p_CK, segment_C = x[here].to(full), weights_TK[here], segment_T[here]
                g_CKD = dz_SKD.index_select(0, segment_C)
                # softmax backward: de = p (x . dz - z . dz + dlse)
                de_CK = p_CK * ((g_CKD @ x_CD.unsqueeze(-1)).squeeze(-1) + rest_SK.index_select(0, segment_C))
                t_CH, q_CH = the.units(x_CD)
                dw_HK.addmm_((t_CH if q_CH is None else t_CH * q_CH).T, de_CK)
                dh_CH = de_CK @ the.w.T
                slope_CH = 1 - t_CH.square() if ctx.act == "tanh" else (t_CH > 0).to(full)
                if q_CH is None:
                    da_CG = dh_CH * slope_CH
                else:
                    da_CG = torch.cat([dh_CH * q_CH * slope_CH, dh_CH * t_CH * q_CH * (1 - q_CH)], 1)
                dstacked_DG.addmm_(x_CD.T, da_CG)
                dbias_G += da_CG.sum(0)
                if dx is not None:
                    dx_CD = (p_CK.unsqueeze(1) @ g_CKD).squeeze(1)
                    dx[here] = dx_CD.addmm_(da_CG, the.stacked.T)
        hidden = w.shape[0]
        dV, dU = dstacked_DG[:, :hidden].to(V.dtype), None if U is None else dstacked_DG[:, hidden:].to(U.dtype)
        dbv, dbu = None if bv is None else dbias_G[:hidden].to(bv.dtype), None if bu is None else dbias_G[hidden:].to(bu.dtype)
        return dx, dV, dU, dw_HK.to(w.dtype), dbv, dbu, None, None


def gated_pool(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> tuple[Tensor, Tensor]:
    return GatedPool.apply(x, V, U, w, bv, bu, offsets, act)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def declines(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> str | None:
    if is_tracing() or torch.compiler.is_compiling():
        return "its loop over tokens would be baked into the program"
    return None
