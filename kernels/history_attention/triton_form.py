"""Attention over the layers of a history: each node on its own in one launch, the graphs' shared weights in a few.

Shapes: N nodes, L layers, D width, S graphs, R rows of weights: N, or S where a graph shares its weights.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.history_attention import reference
from kernels.launch import cdiv, full_dtype, launch, power, register, second_order, tile, unable, worth
from kernels.ragged import segment_of
from kernels.segment_softmax.triton_form import segment_sum

__all__ = ["declines", "history_attention", "pays"]

NAME = "history_attention"
NORM = {"signed": 0, "l1": 1, "softmax": 2}
LAYERS = 128


class Call:
    """What all launches of one call have in common."""

    def __init__(self, states: Tensor, norm: str) -> None:
        self.full = full_dtype(states)
        self.states = (states, *states.stride())
        self.sizes = tuple(states.shape)
        self.tile = tile(NAME, "nodes", states, states.shape[2])
        self.block = power(states.shape[1], 1)
        self.norm = NORM[norm]
        self.device = states.device

    def run(self, kernel: str, *arguments: Any, rows: int, **constants: Any) -> None:
        shape = {key: value for key, value in self.tile.items() if key != "BLOCK_D" or not kernel.startswith("normalise")}
        launch(
            NAME,
            kernel,
            (cdiv(rows, shape["BLOCK_N"]),),
            *arguments,
            tile=shape,
            fusion=False,
            FULL=self.full,
            BLOCK_L=self.block,
            **constants,
        )

    def empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.full, device=self.device)

    def dots(self, v: Tensor, bias: Tensor | None) -> Tensor:
        """v . x (N,L), v being (N,D) or (D,)."""
        nodes, layers, _ = self.sizes
        c_NL, b = self.empty(nodes, layers), self.states[0][:, :, 0] if bias is None else bias.expand(nodes, layers)
        v_ND = v.expand(nodes, -1)
        self.run("dots", c_NL, *self.states, v_ND, *v_ND.stride(), b, *b.stride(), *self.sizes, rows=nodes, BIAS=bias is not None)
        return c_NL

    def by_graph(self, c_NL: Tensor, offsets: Tensor) -> Tensor:
        """Sums over each graph's nodes (S,L)."""
        return segment_sum(c_NL, torch.ones((), dtype=self.full, device=self.device).expand_as(c_NL), offsets, self.full)


def counts(offsets: Tensor) -> Tensor:
    return offsets.diff().unsqueeze(-1)


@torch.library.custom_op("discern::history_attention", mutates_args=())
def forward(states: Tensor, u: Tensor, bias: Tensor | None, offsets: Tensor | None, norm: str, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(z (N,D), weights (R,L), scores (R,L): of a graph their mean)."""
    call = Call(states, norm)
    nodes, layers, width = states.shape
    z_ND = torch.empty((nodes, width), dtype=states.dtype, device=states.device)
    if offsets is None:
        a_NL, c_NL, u_ND = call.empty(nodes, layers), call.empty(nodes, layers), u.expand(nodes, -1)
        b = states[:, :, 0] if bias is None else bias.expand(nodes, layers)
        call.run(
            "forward", z_ND, a_NL, c_NL, *call.states, u_ND, *u_ND.stride(), b, *b.stride(), *call.sizes,
            rows=nodes, EPS=eps, BIAS=bias is not None, NORM=call.norm,
        )  # fmt: skip
        return z_ND, a_NL, c_NL
    c_SL = call.by_graph(call.dots(u, bias), offsets) / counts(offsets).clamp(min=1)
    a_SL = torch.empty_like(c_SL)
    call.run("normalise", a_SL, c_SL, *c_SL.shape, rows=len(c_SL), EPS=eps, NORM=call.norm)
    a_SL = a_SL.masked_fill(counts(offsets) == 0, 0.0)
    row_N = segment_of(states[:, 0, 0], offsets)
    call.run("mix", z_ND, a_SL, row_N, *call.states, *call.sizes, rows=nodes)
    return z_ND, a_SL, c_SL


def fake(states: Tensor, u: Tensor, bias: Tensor | None, offsets: Tensor | None, norm: str, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    nodes, layers, width = states.shape
    rows = nodes if offsets is None else offsets.shape[0] - 1
    a_RL = states.new_empty((rows, layers), dtype=full_dtype(states))
    return states.new_empty((nodes, width)), a_RL, torch.empty_like(a_RL)


@torch.library.custom_op("discern::history_attention_backward", mutates_args=())
def backward(
    dz_ND: Tensor, da_RL: Tensor, states: Tensor, u: Tensor, offsets: Tensor | None, norm: str, eps: float, a_RL: Tensor, c_RL: Tensor,
    need_states: bool, need_u: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(dstates and du (N,D), each empty unless it is needed; the gradient of the nodes' scores (N,L))."""
    call = Call(states, norm)
    nodes, layers, width = states.shape
    dx = torch.empty(states.shape if need_states else 0, dtype=states.dtype, device=states.device)
    du_ND = call.empty(nodes, width) if need_u else call.empty(0)
    u_ND = u.expand(nodes, -1)
    vectors = (dz_ND, *dz_ND.stride(), u_ND, *u_ND.stride())
    if offsets is None:
        dc_NL = call.empty(nodes, layers)
        call.run(
            "backward", dx, du_ND, dc_NL, da_RL.contiguous(), a_RL, c_RL, *call.states, *vectors, *call.sizes,
            rows=nodes, EPS=eps, DX=need_states, DU=need_u, NORM=call.norm,
        )  # fmt: skip
        return dx, du_ND, dc_NL
    da_SL = (call.by_graph(call.dots(dz_ND, None), offsets) + da_RL).masked_fill(counts(offsets) == 0, 0.0)
    dc_SL = torch.empty_like(c_RL)
    call.run("normalise_backward", dc_SL, da_SL, a_RL, c_RL, *c_RL.shape, rows=len(c_RL), EPS=eps, NORM=call.norm)
    dc_SL = dc_SL / counts(offsets).clamp(min=1)
    row_N = segment_of(states[:, 0, 0], offsets)
    call.run("spread", dx, du_ND, a_RL, dc_SL, row_N, *call.states, *vectors, *call.sizes, rows=nodes, DX=need_states, DU=need_u)
    return dx, du_ND, dc_SL.index_select(0, row_N)


def fake_backward(
    dz_ND: Tensor, da_RL: Tensor, states: Tensor, u: Tensor, offsets: Tensor | None, norm: str, eps: float, a_RL: Tensor, c_RL: Tensor,
    need_states: bool, need_u: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    nodes, layers, width = states.shape
    full = full_dtype(states)
    dx, du_ND = states.new_empty(states.shape if need_states else 0), states.new_empty((nodes, width) if need_u else 0, dtype=full)
    return dx, du_ND, states.new_empty((nodes, layers), dtype=full)


def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    states, u, bias, offsets, norm, eps = inputs
    _, a_RL, c_RL = output
    ctx.save_for_backward(states, u, bias, offsets, a_RL, c_RL)
    ctx.options = (norm, eps)


def gradients(ctx: Any, dz_ND: Tensor, da_RL: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    states, u, bias, offsets, a_RL, c_RL = ctx.saved_tensors
    need_states, need_u, need_bias = ctx.needs_input_grad[:3]
    if torch.is_grad_enabled():
        norm, eps = ctx.options
        whole = partial(reference.history_attention, norm=norm, eps=eps)
        return *second_order(whole, (states, u, bias, offsets), ctx.needs_input_grad[:4], (dz_ND, da_RL)), None, None
    dx, du_ND, dc_NL = backward(dz_ND, da_RL, states, u, offsets, *ctx.options, a_RL, c_RL, need_states, need_u)
    du = (du_ND if u.ndim == 2 else du_ND.sum(0)).to(u.dtype) if need_u else None
    dbias = (dc_NL if bias.ndim == 2 else dc_NL.sum(0)).to(bias.dtype) if need_bias else None
    return dx if need_states else None, du, dbias, None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def history_attention(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> tuple[Tensor, Tensor]:
    assert u is not None
    z_ND, a_RL, _ = forward(states, u, bias, offsets, norm, eps)
    return z_ND, a_RL


def declines(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> str | None:
    if u is None:
        return "there are no scores"
    if states.shape[1] > LAYERS:
        return f"it holds at most {LAYERS} layers, not {states.shape[1]}"
    return unable(states, u, bias, offsets)


def pays(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> str | None:
    return worth(NAME, states.numel(), states)
