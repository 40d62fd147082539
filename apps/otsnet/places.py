"""Where each character is in the picture, from where its slot looked (2.3).

Shapes: B batch, L slots, N tokens, R S rows and columns of tokens, X tokens of one axis.
"""

import torch
from torch import Tensor

from apps.otsnet import vocabulary

__all__ = ["boxes", "overlap", "quantile"]

LOW, HIGH = 0.05, 0.95


def quantile(share_BLX: Tensor, q: float) -> Tensor:
    """Where on an axis from 0 to 1 this share of the mass is passed, (B,L): the mass of a token lies evenly within it."""
    upto_BLX = share_BLX.cumsum(-1)
    upto_BLX = upto_BLX / upto_BLX[..., -1:].clamp(min=1e-12)
    index_BL1 = (upto_BLX < q).to(torch.int64).sum(-1, keepdim=True).clamp(max=share_BLX.shape[-1] - 1)
    start_BLX = torch.cat([torch.zeros_like(upto_BLX[..., :1]), upto_BLX[..., :-1]], -1)
    begun_BL1, ended_BL1 = start_BLX.gather(-1, index_BL1), upto_BLX.gather(-1, index_BL1)
    within_BL1 = ((q - begun_BL1) / (ended_BL1 - begun_BL1).clamp(min=1e-12)).clamp(0.0, 1.0)
    return ((index_BL1 + within_BL1) / share_BLX.shape[-1]).squeeze(-1)


def boxes(attention_BLN: Tensor, tokens_BL: Tensor, cells: tuple[int, int], wide_B: Tensor | None = None) -> Tensor:
    """x0, y0, x1, y1 in 0..1 of the picture, (B,L,4): the middle 90 % of each slot's attention along both axes. Approximate: upright
    even where the word is not. Zeros for the end and behind it.

    wide: share of the grid's width that is the picture; None: all of it.
    """
    map_BLRS = attention_BLN.float().unflatten(2, cells)
    x_BLS, y_BLR = map_BLRS.sum(2), map_BLRS.sum(3)
    made_BL4 = torch.stack([quantile(x_BLS, LOW), quantile(y_BLR, LOW), quantile(x_BLS, HIGH), quantile(y_BLR, HIGH)], -1)
    if wide_B is not None:
        whole_B = torch.ones_like(wide_B)
        made_BL4 = (made_BL4 / torch.stack([wide_B, whole_B, wide_B, whole_B], -1).unsqueeze(1)).clamp(max=1.0)
    none_BL = vocabulary.behind_end(tokens_BL) | (tokens_BL == vocabulary.END)
    return made_BL4.masked_fill(none_BL.unsqueeze(-1), 0.0)


def overlap(attention_BLN: Tensor, tokens_BL: Tensor) -> Tensor:
    """How much of one place neighbouring characters of the same kind were read from, 0..1, (B,): near 1 one letter was read twice."""
    shared_BT = torch.minimum(attention_BLN[:, 1:], attention_BLN[:, :-1]).sum(-1)
    same_BT = (tokens_BL[:, 1:] == tokens_BL[:, :-1]) & vocabulary.up_to_end(tokens_BL)[:, 1:]
    return shared_BT.masked_fill(~same_BT, 0.0).amax(1)
