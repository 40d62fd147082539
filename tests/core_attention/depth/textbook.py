"""The history attention layer as the paper writes it: all L states embedded and projected to keys, and to values if there are any.

Shapes: N nodes, L layers, C width of a state, D width.
"""

import torch
from torch import Tensor

from core_attention import Segments
from core_attention.depth import HistoryAttention

__all__ = ["textbook"]


def textbook(layer: HistoryAttention, history_NLC: Tensor, segments: Segments | None = None) -> tuple[Tensor, Tensor]:
    """As layer(history, segments), for graphs that all have nodes."""
    t_NLD = layer.emb(history_NLC) + layer.position_LD
    values_NLD = t_NLD if layer.v is None else layer.v(t_NLD)
    n, length, dim = t_NLD.shape
    if layer.q is None or layer.k is None:
        c_NL = t_NLD.new_ones(n, length)
    else:
        c_NL = torch.einsum("nd,nld->nl", layer.q(t_NLD[:, -1]), layer.k(t_NLD)) / dim**0.5
    lengths = [1] * n if segments is None else segments.offsets.diff().tolist()
    c_RL = torch.stack([part.mean(0) for part in c_NL.split(lengths)]) if segments is not None else c_NL
    size_R1, sum_R1 = c_RL.abs().sum(-1, keepdim=True), c_RL.sum(-1, keepdim=True)
    if layer.norm == "softmax":
        a_RL = c_RL.softmax(-1)
    elif layer.norm == "l1":
        a_RL = c_RL / size_R1
    else:  # signed; with equal scores uniform comes to the same
        sign_R1 = torch.where(sum_R1 < 0, -1.0, 1.0)
        a_RL = c_RL / (sign_R1 * torch.maximum(sum_R1.abs(), layer.eps * size_R1))
    a_NL = a_RL if segments is None else a_RL.repeat_interleave(torch.tensor(lengths), 0)
    return torch.einsum("nl,nld->nd", a_NL, values_NLD), a_RL
