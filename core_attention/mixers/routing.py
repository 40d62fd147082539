"""Routing attention: tokens gather around learned centroids, and attend within their cluster. N^1.5 D with about sqrt(N) clusters.

Queries and keys lie on a sphere (layer norm without weights). Each centroid takes the ceil(N / clusters) tokens that fit it best,
queries and keys apart; a token that several take gets the mean of their answers, one that none takes gets zeros: the residual carries it.
Causal: the best tokens of a cluster would tell of the future. Ours: queries and keys are one, every token joins the centroid that
fits it best, and sees the last `reach` tokens of its cluster up to itself.

Of the paper the abstract was read; the mechanics are second-hand.

Shapes: B batch, N tokens, D width, H heads, E head width, L clusters, W tokens of a cluster.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, layer_norm, one_hot

from core_attention.contract import Mixer, MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.grids import steps
from core_attention.mixers.window_heads import by_head
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["Routing"]


@register_mixer
class Routing(Mixer):
    """clusters: about the square root of the number of tokens. Fewer tokens than clusters are fine: several take the same.
    reach: of a causal query, in tokens of its cluster. decay: of the centroids, which follow the mean of their tokens in training and
    get no gradient.

    Maps are dense, with exact zeros between clusters: O(N^2) memory, only when asked for.
    """

    spec = MixerSpec(
        name="routing",
        patterns=frozenset({"ns", "cs"}),
        needs=frozenset({"none", "full"}),
        masks=frozenset(),
        equation="softmax(s Q K^T) V within the ceil(N / c) tokens that fit a centroid best; mean over centroids",
        read="the abstract; the mechanics are second-hand, the causal form is ours",
        refuses=("masks: a hidden token would still be chosen", "decay outside [0, 1]"),
        complexity="2 N (N / c) D + 2 N c D",
        source="Roy et al., arXiv 2003.05997 (abstract)",
        mass="free",
    )
    centroids_HLE: Tensor

    def __init__(
        self,
        dim: int,
        heads: int,
        clusters: int = 8,
        reach: int = 32,
        decay: float = 0.999,
        qkv_bias: bool = True,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads < 1 or dim % heads:
            raise ValueError(f"routing: dim={dim} does not divide by heads={heads}")
        if clusters < 1 or reach < 1:
            raise ValueError(f"routing: clusters={clusters} and reach={reach} are 1 or more")
        if not 0 <= decay <= 1:
            raise ValueError(f"routing: decay={decay} is in [0, 1]")
        self.dim, self.heads, self.clusters, self.reach, self.decay = dim, heads, clusters, reach, decay
        self.qkv = nn.Linear(dim, (2 if causal else 3) * dim, bias=qkv_bias)  # causal: queries are the keys
        self.attn_drop = attn_drop
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.register_buffer("centroids_HLE", layer_norm(torch.randn(heads, clusters, dim // heads), (dim // heads,)))

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        parts = self.qkv(x_BND).unflatten(-1, (-1, self.heads, self.dim // self.heads)).permute(2, 0, 3, 1, 4).unbind(0)
        q_BHNE, k_BHNE = unit(parts[0]), unit(parts[-2])
        if self.training:
            self.follow([q_BHNE] if self.causal else [q_BHNE, k_BHNE])
        way = self.along if self.causal else self.among
        o_BHNE, map_BHNN = way(q_BHNE, k_BHNE, parts[-1], need == "full")
        y_BND = self.proj_drop(self.proj(o_BHNE.transpose(1, 2).flatten(2)))
        return y_BND if map_BHNN is None else (y_BND, map_BHNN)

    def fit(self, x_BHNE: Tensor) -> Tensor:
        """How well each token fits each centroid (B,H,L,N)."""
        with autocast_off(x_BHNE), torch.no_grad():
            return self.centroids_HLE.to(x_BHNE.dtype) @ x_BHNE.transpose(2, 3)

    def follow(self, parts: list[Tensor]) -> None:
        """Move the centroids towards the mean of the tokens that fit them best; one without tokens stays."""
        with torch.no_grad():
            x_BHNE = torch.cat(parts, 2).detach().to(self.centroids_HLE.dtype)
            joined_BHNL = one_hot(self.fit(x_BHNE).argmax(2), self.clusters).to(x_BHNE.dtype)
            count_HL1 = joined_BHNL.sum((0, 2)).unsqueeze(-1)
            mean_HLE = torch.einsum("bhnl,bhne->hle", joined_BHNL, x_BHNE) / count_HL1.clamp(min=1)
            moved_HLE = unit(self.decay * self.centroids_HLE + (1 - self.decay) * mean_HLE)
            self.centroids_HLE.copy_(torch.where(count_HL1 > 0, moved_HLE, self.centroids_HLE))

    # --- among all tokens ------------------------------------------------------------------------------------------

    def among(self, q_BHNE: Tensor, k_BHNE: Tensor, v_BHNE: Tensor, need_map: bool) -> tuple[Tensor, Tensor | None]:
        asks_BHLW, told_BHLW = self.best(q_BHNE), self.best(k_BHNE)
        q_BPWE, k_BPWE, v_BPWE = take(q_BHNE, asks_BHLW), take(k_BHNE, told_BHLW), take(v_BHNE, told_BHLW)
        if self.attn_drop and self.training:
            o_BPWE = dropout(attention_map(q_BPWE, k_BPWE), self.attn_drop).to(v_BPWE.dtype) @ v_BPWE
        else:
            o_BPWE, _ = attend(q_BPWE, k_BPWE, v_BPWE)
        o_BHNE, times_BHN1 = self.back(o_BPWE, asks_BHLW, q_BHNE)
        if not need_map:
            return o_BHNE, None
        p_BPWW = attention_map(q_BPWE, k_BPWE)
        rows_BPWN = p_BPWW.new_zeros((*p_BPWW.shape[:3], q_BHNE.shape[2]))
        rows_BPWN = rows_BPWN.scatter(-1, told_BHLW.flatten(1, 2).unsqueeze(2).expand_as(p_BPWW), p_BPWW)
        index_BHAN = asks_BHLW.flatten(2).unsqueeze(-1).expand(-1, -1, -1, q_BHNE.shape[2])
        empty_BHNN = rows_BPWN.new_zeros((*q_BHNE.shape[:3], q_BHNE.shape[2]))
        map_BHNN = empty_BHNN.scatter_add(2, index_BHAN, by_head(rows_BPWN, self.heads).flatten(2, 3))
        return o_BHNE, map_BHNN / times_BHN1

    def best(self, x_BHNE: Tensor) -> Tensor:
        """The tokens that each centroid takes (B,H,L,W); of equals the first ones."""
        many = (x_BHNE.shape[2] + self.clusters - 1) // self.clusters
        return self.fit(x_BHNE).sort(dim=-1, descending=True, stable=True).indices[..., :many]

    def back(self, o_BPWE: Tensor, asks_BHLW: Tensor, like_BHNE: Tensor) -> tuple[Tensor, Tensor]:
        """(means of what the clusters answer (B,H,N,E), how many answered (B,H,N,1), at least 1)."""
        o_BHAE = by_head(o_BPWE, self.heads).flatten(2, 3)
        at_BHA1 = asks_BHLW.flatten(2).unsqueeze(-1)
        empty_BHNE = o_BHAE.new_zeros((*like_BHNE.shape[:3], o_BHAE.shape[-1]))
        sum_BHNE = empty_BHNE.scatter_add(2, at_BHA1.expand_as(o_BHAE), o_BHAE)
        times_BHN1 = empty_BHNE[..., :1].scatter_add(2, at_BHA1, torch.ones_like(o_BHAE[..., :1])).clamp(min=1)
        return sum_BHNE / times_BHN1, times_BHN1

    # --- along a sequence ------------------------------------------------------------------------------------------

    def along(self, q_BHNE: Tensor, k_BHNE: Tensor, v_BHNE: Tensor, need_map: bool) -> tuple[Tensor, Tensor | None]:
        """Sorted by cluster and place, a query's keys are its own place and the `reach` - 1 before it, of the same cluster."""
        joins_BHN = self.fit(k_BHNE).argmax(2)
        order_BHN = joins_BHN.sort(dim=-1, stable=True).indices
        place_NW = steps(q_BHNE, q_BHNE.shape[2])[:, None] - steps(q_BHNE, self.reach)
        before_NW = place_NW.clamp(min=0)
        sorted_BHN = joins_BHN.gather(2, order_BHN)
        seen_BHNW = (sorted_BHN[:, :, before_NW] == sorted_BHN.unsqueeze(-1)) & (place_NW >= 0)
        keys_BHNW = order_BHN[:, :, before_NW]
        q_BHNE = by_head(take(q_BHNE, order_BHN.unsqueeze(2)), self.heads).squeeze(2)
        # one query a window leaves nothing to fuse
        q_BPNE, k_BPWE, v_BPWE = q_BHNE.flatten(1, 2).unsqueeze(2), take(k_BHNE, keys_BHNW), take(v_BHNE, keys_BHNW)
        p_BP1W = attention_map(q_BPNE, k_BPWE, seen_BHNW.flatten(1, 2).unsqueeze(2))
        used_BP1W = dropout(p_BP1W, self.attn_drop, self.training)
        with autocast_off(v_BHNE):
            o_BP1E = (used_BP1W @ v_BPWE.to(p_BP1W.dtype)).to(v_BHNE.dtype)
        o_BHNE = torch.zeros_like(v_BHNE).scatter(2, order_BHN.unsqueeze(-1).expand_as(v_BHNE), by_head(o_BP1E.squeeze(2), self.heads))
        if not need_map:
            return o_BHNE, None
        p_BHNW = by_head(p_BP1W.squeeze(2), self.heads)
        rows_BHNN = p_BHNW.new_zeros((*p_BHNW.shape[:3], p_BHNW.shape[2])).scatter_add(3, keys_BHNW, p_BHNW)
        return o_BHNE, torch.zeros_like(rows_BHNN).scatter(2, order_BHN.unsqueeze(-1).expand_as(rows_BHNN), rows_BHNN)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        if self.causal:
            return 3 * n * self.dim**2 + n * self.clusters * self.dim + 2 * n * self.reach * self.dim
        taken = -(-n // self.clusters)
        return 4 * n * self.dim**2 + 2 * n * self.clusters * self.dim + 2 * self.clusters * taken**2 * self.dim


def unit(x_BHNE: Tensor) -> Tensor:
    """On the sphere: layer norm without weights."""
    return layer_norm(x_BHNE, x_BHNE.shape[-1:])


def take(a_BHNE: Tensor, tokens_BHLW: Tensor) -> Tensor:
    """The tokens of each cluster, (B, H * L, W, E)."""
    at_BHAE = tokens_BHLW.flatten(2).unsqueeze(-1).expand(-1, -1, -1, a_BHNE.shape[-1])
    return a_BHNE.gather(2, at_BHAE).reshape(a_BHNE.shape[0], -1, tokens_BHLW.shape[3], a_BHNE.shape[3])
