"""Softmax attention by torch's own fused kernels.

Shapes as in reference.py: B batch, H heads, N queries, M keys, D head width, E value width.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from kernels.dispatch import is_tracing

__all__ = ["attend", "declines"]


def attend(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    need_lse: bool = False,
) -> tuple[Tensor, Tensor | None]:
    if mask is not None and causal:  # torch takes one or the other
        past_NM = q_BHND.new_ones((q_BHND.shape[-2], k_BHMD.shape[-2]), dtype=torch.bool).tril()
        mask = mask & past_NM if mask.dtype == torch.bool else mask.masked_fill(~past_NM, -torch.inf)
        causal = False
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.to(q_BHND.dtype)
    if not is_tracing() and (wider := v_BHME.shape[-1] - q_BHND.shape[-1]) > 0:
        # For values of another width torch forms the whole map. Zeros add nothing to the logits.
        scale = q_BHND.shape[-1] ** -0.5 if scale is None else scale
        q_BHND, k_BHMD = pad(q_BHND, (0, wider)), pad(k_BHMD, (0, wider))
    return scaled_dot_product_attention(q_BHND, k_BHMD, v_BHME, attn_mask=mask, is_causal=causal, scale=scale), None


def declines(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    need_lse: bool = False,
) -> str | None:
    return "scaled_dot_product_attention does not return the log-sum-exp" if need_lse else None
