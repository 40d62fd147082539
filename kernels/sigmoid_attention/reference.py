"""y = sigmoid(Q K^T / sqrt d + b) V in plain aten (arXiv 2409.04431).

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off

__all__ = ["sigmoid_attention", "weights"]


def sigmoid_attention(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return (B,H,N,E).

    bias: added to all logits: a number, (), (H,), or (B,1|H,N,1). About -log M makes rows that begin near a sum of 1.
    mask, causal, scale: as of `attend`. A query that may attend to nothing gets zeros.
    """
    p_BHNM = weights(q_BHND, k_BHMD, bias, mask, causal, scale)
    with autocast_off(q_BHND):
        return (p_BHNM @ v_BHME.to(p_BHNM.dtype)).to(v_BHME.dtype)


def weights(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """The map (B,H,N,M), in at least float32; a hidden pair is exactly 0."""
    full = torch.promote_types(q_BHND.dtype, torch.float32)
    factor: float = q_BHND.shape[-1] ** -0.5 if scale is None else scale
    if isinstance(bias, Tensor):
        bias = bias.to(full)
        bias = bias[:, None, None] if bias.ndim == 1 else bias
    with autocast_off(q_BHND):
        logits_BHNM = (q_BHND.to(full) * factor) @ k_BHMD.to(full).transpose(-2, -1) + bias
    if mask is not None and mask.dtype != torch.bool:
        logits_BHNM = logits_BHNM + mask.to(full)
    elif mask is not None:
        logits_BHNM = logits_BHNM.masked_fill(~mask, -torch.inf)
    if causal:
        past_NM = q_BHND.new_ones((q_BHND.shape[-2], k_BHMD.shape[-2]), dtype=torch.bool).tril()
        logits_BHNM = logits_BHNM.masked_fill(~past_NM, -torch.inf)
    return logits_BHNM.sigmoid()
