"""Softmax attention in plain aten: exact in float64, traceable at one size and right at others, on any device.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off

__all__ = ["attend", "attention_map", "logits", "normalise", "weights"]


def attend(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    need_lse: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return (output (B,H,N,E), log-sum-exp of the logits (B,H,N) in at least float32, or None unless `need_lse`).

    mask: bool, True = may attend, or float, added to the logits; broadcasts to (B,H,N,M). A query that may attend to
    nothing gets zeros, lse = -inf and no gradient. A mask hides keys from the result, not from arithmetic: 0 * NaN is NaN.
    causal: query i sees keys 0..i. scale: of the logits, D ** -0.5 unless given.
    """
    if need_lse:
        p_BHNM, lse_BHN = weights(q_BHND, k_BHMD, mask, causal, scale)
    else:
        p_BHNM, lse_BHN = attention_map(q_BHND, k_BHMD, mask, causal, scale), None
    with autocast_off(q_BHND):
        o_BHNE = p_BHNM @ v_BHME.to(p_BHNM.dtype)
    return o_BHNE.to(v_BHME.dtype), lse_BHN


def attention_map(q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None = None, causal: bool = False, scale: float | None = None) -> Tensor:
    """The softmax map alone (B,H,N,M), in at least float32; arguments as in `attend`."""
    logits_BHNM = logits(q_BHND, k_BHMD, mask, causal, scale)
    # Without a mask every query sees a key, and torch's own softmax takes fewer passes than the guarded one.
    return logits_BHNM.softmax(-1) if mask is None else normalise(logits_BHNM)[0]


def weights(
    q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None = None, causal: bool = False, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """The softmax map (B,H,N,M) and its log-sum-exp (B,H,N), in at least float32; arguments as in `attend`."""
    return normalise(logits(q_BHND, k_BHMD, mask, causal, scale))


def logits(q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None = None, causal: bool = False, scale: float | None = None) -> Tensor:
    """What `weights` normalises (B,H,N,M), in at least float32; -inf where a query may not attend."""
    full = torch.promote_types(q_BHND.dtype, torch.float32)
    factor: float = q_BHND.shape[-1] ** -0.5 if scale is None else scale
    with autocast_off(q_BHND):
        logits_BHNM = (q_BHND.to(full) * factor) @ k_BHMD.to(full).transpose(-2, -1)
    if mask is not None and mask.dtype != torch.bool:
        logits_BHNM = logits_BHNM + mask.to(full)
    elif mask is not None:
        logits_BHNM = logits_BHNM.masked_fill(~mask, -torch.inf)
    if causal:
        # new_ones and not ones(device=...): a trace would bake the device in
        past_NM = q_BHND.new_ones((q_BHND.shape[-2], k_BHMD.shape[-2]), dtype=torch.bool).tril()
        logits_BHNM = logits_BHNM.masked_fill(~past_NM, -torch.inf)
    return logits_BHNM


def normalise(logits_BHNM: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over the last dimension, and its log-sum-exp (B,H,N). A row of -inf gives zeros, -inf and no gradient."""
    # Written out, because softmax and logsumexp give NaN, forward or backward, for a row of -inf.
    top_BHN1 = logits_BHNM.detach().amax(-1, keepdim=True)
    top_BHN1 = top_BHN1.masked_fill(top_BHN1 == -torch.inf, 0.0)
    e_BHNM = (logits_BHNM - top_BHN1).exp()
    sum_BHN1 = e_BHNM.sum(-1, keepdim=True)
    hidden_BHN1 = sum_BHN1 == 0
    sum_BHN1 = sum_BHN1.masked_fill(hidden_BHN1, 1.0)
    lse_BHN1 = (sum_BHN1.log() + top_BHN1).masked_fill(hidden_BHN1, -torch.inf)
    return e_BHNM / sum_BHN1, lse_BHN1.squeeze(-1)
