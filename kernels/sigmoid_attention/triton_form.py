"""sigmoid(Q K^T scale + b) V in one launch forward and two backward, without the map.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.launch import (
    cdiv,
    dot_dtype,
    full_dtype,
    in_autocast_dtype,
    launch,
    power,
    precision,
    register,
    second_order,
    tile,
    worth,
)
from kernels.shared.attention import mask_kind, masked, softmax_scale, strided, unable_to_attend, widest
from kernels.sigmoid_attention import reference

__all__ = ["declines", "pays", "sigmoid_attention"]

NAME = "sigmoid_attention"


def start(
    kernel: str, answers: tuple[Tensor, ...], g: tuple[Tensor, ...], q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor | None,
    causal: bool, scale: float,
) -> None:  # fmt: skip
    """What the three kernels have in common. g: the gradient of the answer, nothing forward."""
    (b, h, n, d), m, e = q.shape, k.shape[2], v.shape[3]
    shape = tile(NAME, kernel, widest(q, k, v), max(d, e))
    blocks = cdiv(m, shape["BLOCK_M"]) if kernel == "keys" else cdiv(n, shape["BLOCK_N"])
    given = [part for x in (*g, q, k, v) for part in strided(x)]
    launch(
        NAME, kernel, (blocks * b * h,),
        *answers, *given, bias, *bias.stride(), *masked(mask, q, k), h, n, m, d, e, scale,
        tile=shape, fusion=True, MASK=mask_kind(mask), CAUSAL=causal, FULL=full_dtype(q, k, v), DOT=dot_dtype(q, k, v),
        PRECISION=precision(), BLOCK_D=power(d), BLOCK_E=power(e),
    )  # fmt: skip


@torch.library.custom_op("discern::sigmoid_attention", mutates_args=())
def forward(q: Tensor, k: Tensor, v: Tensor, bias_BHN: Tensor, mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    out = fake(q, k, v, bias_BHN, mask, causal, scale)
    start("forward", (out,), (), q, k, v, bias_BHN, mask, causal, scale)
    return out


def fake(q: Tensor, k: Tensor, v: Tensor, bias_BHN: Tensor, mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    return v.new_empty((*q.shape[:3], v.shape[3]))


@torch.library.custom_op("discern::sigmoid_attention_backward", mutates_args=())
def backward(
    g: Tensor, q: Tensor, k: Tensor, v: Tensor, bias_BHN: Tensor, mask: Tensor | None, causal: bool, scale: float,
    of_queries: bool, of_keys: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(dq, dk, dv, dbias); those of queries and bias, or of keys and values, are empty where they are not wanted."""
    dq, dk, dv, dbias = fake_backward(g, q, k, v, bias_BHN, mask, causal, scale, of_queries, of_keys)
    if of_queries:
        start("queries", (dq, dbias), (g,), q, k, v, bias_BHN, mask, causal, scale)
    if of_keys:
        start("keys", (dk, dv), (g,), q, k, v, bias_BHN, mask, causal, scale)
    return dq, dk, dv, dbias


def fake_backward(
    g: Tensor, q: Tensor, k: Tensor, v: Tensor, bias_BHN: Tensor, mask: Tensor | None, causal: bool, scale: float,
    of_queries: bool, of_keys: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    dq, dbias = (x.new_empty(x.shape if of_queries else 0) for x in (q, bias_BHN))
    dk, dv = (x.new_empty(x.shape if of_keys else 0) for x in (k, v))
    return dq, dk, dv, dbias


def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.causal, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def gradients(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, bias_BHN, mask = ctx.saved_tensors
    need = ctx.needs_input_grad
    if torch.is_grad_enabled():

        def again(q: Tensor, k: Tensor, v: Tensor, bias_BHN: Tensor) -> Tensor:
            return reference.sigmoid_attention(q, k, v, bias_BHN.unsqueeze(-1), mask, ctx.causal, ctx.scale)

        return *second_order(again, (q, k, v, bias_BHN), need[:4], (g,)), None, None, None
    found = backward(g, q, k, v, bias_BHN, mask, ctx.causal, ctx.scale, need[0] or need[3], need[1] or need[2])
    return *(x if wanted else None for x, wanted in zip(found, need, strict=False)), None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def sigmoid_attention(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    full = full_dtype(q_BHND, k_BHMD, v_BHME)
    bias = bias.to(full) if isinstance(bias, Tensor) else q_BHND.new_full((), bias, dtype=full)
    bias_BHN1 = bias if bias.ndim == 4 else bias.reshape(1, -1, 1, 1)
    # Views: the gradient of each row comes out of the kernel, and torch adds it up over what was spread.
    bias_BHN = bias_BHN1.squeeze(-1).expand(q_BHND.shape[:3])
    q, k, v = in_autocast_dtype(q_BHND, k_BHMD, v_BHME)
    return forward(q, k, v, bias_BHN, mask, causal, softmax_scale(q_BHND, scale)).to(v_BHME.dtype)


def declines(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> str | None:
    given = bias if isinstance(bias, Tensor) else None
    return unable_to_attend(q_BHND, k_BHMD, mask, v_BHME, given, width=max(q_BHND.shape[3], v_BHME.shape[3]))


def pays(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> str | None:
    return worth(NAME, q_BHND[..., 0].numel() * k_BHMD.shape[2], q_BHND, q_BHND.shape[2], k_BHMD.shape[2])
