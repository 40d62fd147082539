"""Attention of each node over its own states through the depth of a network: the first stage of HISTOGRAPH (arXiv 2601.01123).

Textbook: T = Emb(X) + P; q = T[last] Wq; K = T Wk; s = q K^T / sqrt D; averaged over a graph's nodes, normalised to a, H = sum_l a_l T_l,
then Wv if wanted. Here in absorbed form: Wk and Emb are folded into the query, Emb and Wv are applied to the sum, so that
of the L states only the last is projected and the others are only read. It is the same to rounding.

Shapes: N nodes, L layers, C width of a state, D width, S graphs, R rows of weights: N, or S with segments.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from core_attention.functional import history_attention
from core_attention.segments import Segments
from kernels.dispatch import autocast_off, is_tracing
from kernels.ragged import segment_of

__all__ = ["HistoryAttention", "sinusoids"]


def sinusoids(layers: int, dim: int) -> Tensor:
    """P (L,D): P[l,2k] = sin(l / 10000^(2k/D)), P[l,2k+1] = cos of the same."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angle = torch.arange(layers).unsqueeze(-1) * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :dim]


class HistoryAttention(nn.Module):
    """(H (N,D), weights (N,L) or (S,L)) of a history (N,L,C).

    norm, eps: as in `history_attention`; "signed" is the paper's. norm="uniform" has no query and no keys.
    value: a projection of the answer. qk_bias: biases of query and key.

    >>> layer = HistoryAttention(64, layers=6)
    >>> h, weights = layer(torch.randn(10, 6, 64), Segments.from_lengths([7, 3]))
    """

    position_LD: Tensor

    def __init__(
        self,
        dim: int,
        layers: int,
        in_dim: int | None = None,
        norm: str = "signed",
        eps: float = 0.05,
        value: bool = False,
        qk_bias: bool = False,
    ) -> None:
        super().__init__()
        if dim < 1 or layers < 1:
            raise ValueError(f"HistoryAttention: dim={dim} and layers={layers} are at least 1")
        if norm == "uniform" and qk_bias:
            raise ValueError("HistoryAttention: norm='uniform' has no query and no keys that qk_bias could belong to")
        self.norm = norm
        self.eps = eps
        self.layers = layers
        self.emb = nn.Linear(in_dim or dim, dim)
        self.q = None if norm == "uniform" else nn.Linear(dim, dim, bias=qk_bias)
        self.k = None if norm == "uniform" else nn.Linear(dim, dim, bias=qk_bias)
        self.v = nn.Linear(dim, dim) if value else None
        self.register_buffer("position_LD", sinusoids(layers, dim), persistent=False)
        for part in (self.emb, self.v):
            if part is not None:
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)
        if self.q is not None and self.k is not None:
            # ours: equal at first, so that the scores of correlated states are positive and their sum is far from zero
            nn.init.orthogonal_(self.q.weight)
            with torch.no_grad():
                self.k.weight.copy_(self.q.weight)
            if qk_bias:
                nn.init.zeros_(self.q.bias)
                nn.init.zeros_(self.k.bias)

    def forward(self, history_NLC: Tensor, segments: Segments | None = None) -> tuple[Tensor, Tensor]:
        """With segments the nodes of a graph share their weights, without each has its own."""
        fits = is_tracing() or (history_NLC.ndim == 3 and history_NLC.shape[1:] == (self.layers, self.emb.in_features))
        if not fits:
            wanted = f"(N, {self.layers}, {self.emb.in_features})"
            raise ValueError(f"HistoryAttention: the history is {wanted}, not {tuple(history_NLC.shape)}")
        offsets = None if segments is None else segments.offsets
        r_NC, bias_NL = self.query(history_NLC[:, -1])
        m_NC, a_RL = history_attention(history_NLC, r_NC, bias_NL, offsets, norm=self.norm, eps=self.eps)
        # H = M We + (sum a) be + sum a P: a sums to 1 for some norms only
        shift_RD = a_RL @ (self.position_LD + self.emb.bias).to(a_RL.dtype)
        mass_R1 = a_RL.sum(-1, keepdim=True)
        if offsets is not None:
            segment_N = segment_of(m_NC[:, 0], offsets)
            shift_RD, mass_R1 = shift_RD.index_select(0, segment_N), mass_R1.index_select(0, segment_N)
        h_ND = linear(m_NC, self.emb.weight)
        h_ND = h_ND + shift_RD.to(h_ND.dtype)
        if self.v is not None:
            h_ND = linear(h_ND, self.v.weight)
            h_ND = h_ND + (mass_R1 * self.v.bias).to(h_ND.dtype)
        return h_ND, a_RL

    def query(self, last_NC: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The folded query (N,C) and what the scores get besides (N,L), both scaled, in at least float32. None for uniform weights."""
        if self.q is None or self.k is None:
            return None, None
        full = torch.promote_types(last_NC.dtype, torch.float32)
        with autocast_off(last_NC):
            position_LD = self.position_LD.to(full) + self.emb.bias.to(full)
            t_ND = linear(last_NC.to(full), self.emb.weight.to(full)) + position_LD[-1]
            q_ND = linear(t_ND, self.q.weight.to(full))
            if self.q.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                q_ND = q_ND + self.q.bias.to(full)
            q_ND = q_ND * self.q.out_features**-0.5
            u_ND = q_ND @ self.k.weight.to(full)
            r_NC = u_ND @ self.emb.weight.to(full)
            bias_NL = u_ND @ position_LD.T
            if self.k.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                bias_NL = bias_NL + (q_ND @ self.k.bias.to(full)).unsqueeze(-1)
        return r_NC, bias_NL
