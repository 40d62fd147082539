"""The first stage as it is written in the paper, for tests and for reading. `HistoryAttention` computes the same with less.

Shapes: N nodes of all graphs, S graphs, L states, C width of a state, D width.
"""

from torch import Tensor
from torch.nn.functional import linear

from core_attention.depth.history import HistoryAttention
from core_attention.segments import Segments
from kernels.history_attention.reference import share
from kernels.ragged import segment_of

__all__ = ["absorbed_layer_attention", "textbook_layer_attention"]


def textbook_layer_attention(layer: HistoryAttention, history_NLC: Tensor, segments: Segments | None) -> tuple[Tensor, Tensor]:
    """(H (N,D), weights (S,L), or (N,L) without segments), with the parameters of `layer`: every state is embedded and projected."""
    t_NLD = layer.emb(history_NLC) + layer.position_LD.to(history_NLC.dtype)  # X' = Emb(X), T = X' + P
    if layer.q is None or layer.k is None:
        c_NL = t_NLD[:, :, 0] * 0
    else:
        q_ND, k_NLD = layer.q(t_NLD[:, -1]), layer.k(t_NLD)  # the query is the last state's only
        c_NL = (k_NLD @ q_ND.unsqueeze(-1)).squeeze(-1) / q_ND.shape[1] ** 0.5
    a_NL, a_RL = share(c_NL, None if segments is None else segments.offsets, layer.norm, layer.eps)
    if segments is not None:
        a_NL = a_RL.index_select(0, segment_of(c_NL[:, 0], segments.offsets))
    v_NLD = t_NLD if layer.v is None else linear(t_NLD, layer.v.weight, layer.v.bias)
    return (a_NL.unsqueeze(-1) * v_NLD).sum(1), a_RL


def absorbed_layer_attention(layer: HistoryAttention, history_NLC: Tensor, segments: Segments | None) -> tuple[Tensor, Tensor]:
    """The same, folded: of the L states only the last is projected."""
    return layer(history_NLC, segments)
