"""The same in pieces of a few queries, without the map.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width, R queries of one piece.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.query_chunks import chunks, loop_declines
from kernels.sigmoid_attention.reference import weights

__all__ = ["declines", "sigmoid_attention"]


def sigmoid_attention(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    place_N1 = torch.arange(q_BHND.shape[2], device=q_BHND.device).unsqueeze(-1)

    def step(q_BHRD: Tensor, k_BHMD: Tensor, bias_BHR1: Tensor | None, mask: Tensor | None, place_R1: Tensor) -> Tensor:
        if causal:
            past_RM = place_R1 >= torch.arange(k_BHMD.shape[2], device=k_BHMD.device)
            if mask is None or mask.dtype == torch.bool:
                mask = past_RM if mask is None else mask & past_RM
            else:
                mask = mask.masked_fill(~past_RM, -torch.inf)
        p_BHRM = weights(q_BHRD, k_BHMD, bias if bias_BHR1 is None else bias_BHR1, mask, False, scale)
        with autocast_off(q_BHRD):
            return (p_BHRM @ v_BHME.to(p_BHRM.dtype)).to(v_BHME.dtype)

    # (), (H,) and (B,1|H,N,1) alike in four dimensions; a number stays outside
    bias_BHN1 = bias if not isinstance(bias, Tensor) or bias.ndim == 4 else bias.reshape(1, -1, 1, 1)
    cut = bias_BHN1 if isinstance(bias_BHN1, Tensor) else None
    return torch.cat(list(chunks(step, q_BHND, k_BHMD, (cut, 2), (mask, -2), (place_N1, 0))), 2)


def declines(
    q_BHND: Tensor,
    k_BHMD: Tensor,
    v_BHME: Tensor,
    bias: Tensor | float,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> str | None:
    return loop_declines(q_BHND)
