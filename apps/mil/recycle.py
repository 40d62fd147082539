"""The recycle network: part of what the student may see is shown as a few summaries (section 2.7).

The queries are not learned by gradient: they follow the mean of what they found. Without a summarised instance a bag gets no summary.

Shapes: T instances of all bags, S bags, D width, K queries, H heads, E head width, R summarised instances, M all tokens that come out.
"""

import torch
from torch import Tensor, nn

from apps.mil.masking import counts, kept
from apps.mil.options import Recycle
from apps.mil.ranks import rank_within, sizes
from core_attention.functional import segment_softmax
from core_attention.segments import Segments
from kernels.ragged import segment_of, segment_sum

__all__ = ["RecycleNet"]


class RecycleNet(nn.Module):
    queries_KD: Tensor

    def __init__(self, dim: int, options: Recycle, heads: int = 8) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"recycle: host.dim={dim} does not divide by {heads} heads; take a multiple")
        self.options, self.heads = options, heads
        bound = (6 / (3 * 256 + dim)) ** 0.5
        self.register_buffer("queries_KD", torch.empty(options.tokens, dim).uniform_(-bound, bound))
        self.norm = nn.LayerNorm(dim)  # of queries and instances alike, as in the published code
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.1))

    def forward(self, z_TD: Tensor, segments: Segments, noise_T: Tensor) -> tuple[Tensor, Segments]:
        """Kept instances and, behind those of each bag, its summaries. The instances with the least noise are summarised."""
        segment_T = segment_of(z_TD[:, 0], segments.offsets)
        many_S = counts(self.options.share, sizes(segments.offsets), "round")
        many_S = torch.minimum(many_S, (sizes(segments.offsets) - 1).clamp(min=0))  # ours: one instance stays as it is
        keep_T = rank_within(segment_T, segments.offsets, -noise_T) >= many_S[segment_T]
        return self.append(*kept(z_TD, segments, keep_T), *kept(z_TD, segments, ~keep_T))

    def append(self, z_TD: Tensor, segments: Segments, r_RD: Tensor, recycled: Segments) -> tuple[Tensor, Segments]:
        """The tokens, and behind those of each bag the summaries of `r`."""
        some_S = sizes(recycled.offsets) > 0
        found_SKD = self.summarise(r_RD, recycled)
        found_AKD = found_SKD[some_S]
        if self.training and len(found_AKD):
            self.queries_KD.lerp_(found_AKD.detach().mean(0).to(self.queries_KD.dtype), 1 - self.options.momentum)
        added_A = some_S.nonzero().squeeze(1).repeat_interleave(self.options.tokens)
        segment_M = torch.cat([segment_of(z_TD[:, 0], segments.offsets), added_A])
        order_M = segment_M.argsort(stable=True)
        counts_S = sizes(segments.offsets) + some_S * self.options.tokens
        offsets = torch.cat([counts_S.new_zeros(1), counts_S.cumsum(0)])
        tokens_MD = torch.cat([z_TD, found_AKD.flatten(0, 1).to(z_TD.dtype)])[order_M]
        return tokens_MD, Segments(offsets, segments.longest + self.options.tokens, segments.count)

    def summarise(self, r_RD: Tensor, recycled: Segments) -> Tensor:
        """(S,K,D); of a bag without instances whatever a query of nothing gives."""
        queries_KD = self.queries_KD.clone()  # they move before the gradient is taken
        q_KHE = self.q(self.norm(queries_KD)).unflatten(-1, (self.heads, -1))
        k_RHE, v_RHE = self.kv(self.norm(r_RD)).unflatten(-1, (2, self.heads, -1)).unbind(1)
        scores_RHK = torch.einsum("rhe,khe->rhk", k_RHE, q_KHE) * q_KHE.shape[-1] ** -0.5
        weights_RHK = segment_softmax(scores_RHK.flatten(1), recycled.offsets).unflatten(1, (self.heads, -1))
        weighted_RKHE = (weights_RHK.unsqueeze(-1) * v_RHE.unsqueeze(2)).transpose(1, 2)
        z_SKHE = segment_sum(weighted_RKHE, segment_of(r_RD[:, 0], recycled.offsets), recycled.offsets)
        return self.out(z_SKHE.flatten(2))
