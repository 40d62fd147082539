"""Nystrom attention over ragged bags: queries and keys meet at a few landmarks (section 2.4).

A landmark is the mean of as many neighbouring tokens of its own bag as are needed to stay within the number of landmarks; a short bag
has fewer of them, and with a token each the answer is that of exact attention. (# ours: the published code pads every sequence to a
multiple of the number of landmarks with zeros that take part; here nothing is padded, so an answer depends on its own bag alone.)

Shapes: T tokens of all bags, S bags, L tokens of the longest bag, D width, H heads, E head width, M landmarks.
"""

import torch
from torch import Tensor, nn

from core_attention.segments import Segments
from core_attention.tokens import pad, unpad
from kernels.dispatch import autocast_off

__all__ = ["BagAttention"]

ITERATIONS = 6
KERNEL = 33


class BagAttention(nn.Module):
    """landmarks=0: exact attention."""

    def __init__(self, dim: int, heads: int, landmarks: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"host: dim={dim} does not divide by heads={heads}; change one")
        self.heads, self.landmarks = heads, landmarks
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.residual = nn.Conv2d(heads, heads, (KERNEL, 1), padding=(KERNEL // 2, 0), groups=heads, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.drop = nn.Dropout(0.1)

    def forward(self, x_TD: Tensor, segments: Segments, detail: bool = False) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(y (T,D); with detail the first token's attention (T,H) and each token's part of its answer (T,D))."""
        qkv_SLX, valid_SL = pad(self.qkv(x_TD), segments)
        q_SHLE, k_SHLE, v_SHLE = qkv_SLX.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        q_SHLE = q_SHLE * q_SHLE.shape[-1] ** -0.5
        with autocast_off(x_TD):
            full = torch.promote_types(x_TD.dtype, torch.float32)
            row_SHL, y_SHLE = self._attend(q_SHLE.to(full), k_SHLE.to(full), v_SHLE.to(full), valid_SL, segments)
        y_SHLE = y_SHLE.to(v_SHLE.dtype) + self.residual(v_SHLE)
        y_TD = unpad(y_SHLE.transpose(1, 2).flatten(2), segments, x_TD)
        y_TD = self.drop(self.proj(y_TD))
        if not detail:
            return y_TD, None, None
        part_SHLE = row_SHL.unsqueeze(-1) * v_SHLE.to(full)
        part_TD = unpad(part_SHLE.transpose(1, 2).flatten(2), segments, x_TD).to(x_TD.dtype)
        return y_TD, unpad(row_SHL.transpose(1, 2), segments, x_TD), self.proj(part_TD)

    def _attend(self, q_SHLE: Tensor, k_SHLE: Tensor, v_SHLE: Tensor, valid_SL: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """(map row of each bag's first token (S,H,L), answers (S,H,L,E))."""
        tokens_S11L = valid_SL[:, None, None]
        if self.landmarks == 0:
            p_SHLL = _softmax(q_SHLE @ k_SHLE.transpose(-1, -2), tokens_S11L)
            return p_SHLL[:, :, 0], p_SHLL @ v_SHLE
        mean_SML, used_SM = self._landmarks(valid_SL, segments)
        landmarks_S11M = used_SM[:, None, None]
        ql_SHME, kl_SHME = mean_SML.unsqueeze(1) @ q_SHLE, mean_SML.unsqueeze(1) @ k_SHLE
        left_SHLM = _softmax(q_SHLE @ kl_SHME.transpose(-1, -2), landmarks_S11M)
        rows = used_SM[:, None, :, None]
        core_SHMM = _softmax(ql_SHME @ kl_SHME.transpose(-1, -2), landmarks_S11M) * rows
        right_SHML = _softmax(ql_SHME @ k_SHLE.transpose(-1, -2), tokens_S11L) * rows
        left_SHLM = left_SHLM @ _inverse(core_SHMM)
        row_SHL = (left_SHLM[:, :, :1] @ right_SHML)[:, :, 0]
        return row_SHL, left_SHLM @ (right_SHML @ v_SHLE)

    def _landmarks(self, valid_SL: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """(weights of the means (S,M,L), which landmarks there are (S,M))."""
        n_S = segments.offsets.diff()
        each_S = ((n_S + self.landmarks - 1) // self.landmarks).clamp(min=1)
        place_SL = torch.ones_like(valid_SL, dtype=torch.int64).cumsum(1) - 1
        number_M = valid_SL.new_ones((self.landmarks,), dtype=torch.int64).cumsum(0) - 1
        own_SML = ((place_SL // each_S.unsqueeze(1)).unsqueeze(1) == number_M[:, None]) & valid_SL.unsqueeze(1)
        size_SM1 = own_SML.sum(-1, keepdim=True)
        return own_SML.to(torch.float32) / size_SM1.clamp(min=1), size_SM1.squeeze(-1) > 0


def _softmax(scores: Tensor, seen: Tensor) -> Tensor:
    """Over the last axis, zeros where not seen; a row that sees nothing is all zeros."""
    return scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(0.0)


def _inverse(a_SHMM: Tensor) -> Tensor:
    """Newton-Schulz pseudo-inverse, each map by itself. Landmarks that are not there are rows and columns of zeros, and stay so."""
    columns, rows = a_SHMM.abs().sum(-2, keepdim=True).amax(-1, keepdim=True), a_SHMM.abs().sum(-1, keepdim=True).amax(-2, keepdim=True)
    z_SHMM = a_SHMM.transpose(-1, -2) / (columns * rows).clamp(min=1e-12)
    eye_MM = torch.ones_like(a_SHMM[0, 0, 0]).diag()
    for _ in range(ITERATIONS):
        az_SHMM = a_SHMM @ z_SHMM
        z_SHMM = 0.25 * z_SHMM @ (13 * eye_MM - az_SHMM @ (15 * eye_MM - az_SHMM @ (7 * eye_MM - az_SHMM)))
    return z_SHMM
