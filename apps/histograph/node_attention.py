"""Attention of each node over the nodes of its graph: the second stage of HISTOGRAPH, without positions.

Textbook: Z = MHSA(H, H, H) + H, then the mean over a graph's nodes. Without a LayerNorm the mean commutes with value and output
projection: with w_j the mean over i of A_ij, G = concat_heads((w^T H) Wv + bv) Wo + bo + mean(H). Only the scores remain quadratic.

Shapes: N nodes of all graphs, S graphs, L nodes of the largest, D width, H heads, E head width.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from core_attention.functional import apply_transposed, segment_pool
from core_attention.mixers.softmax import Softmax
from core_attention.segments import Segments
from core_attention.tokens import four_dims, pad, unpad
from kernels.dispatch import autocast_off, is_tracing
from kernels.ragged import segment_of

__all__ = ["FORMS", "NodeAttention", "buckets", "graph_max", "graph_mean", "sizes_of"]

FORMS = ("auto", "padded", "flat", "buckets")
SLACK = 0.25  # share of padding that a bucket may have


class NodeAttention(nn.Module):
    """`forward` gives the nodes (N,D), `pooled` their means (S,D) and how much each node is looked at (N,), which sums to 1 in each graph.

    layer_norm: after the residual. dropout: of what attention adds; in `pooled`, of its mean.
    form: "padded" graphs side by side, "flat" all nodes under a mask, "buckets" of graphs of like size. All give the same.
    "auto" takes buckets on a CPU, else padded, and flat in an exported or compiled program, where no size may depend on the data.
    """

    def __init__(self, dim: int, heads: int, layer_norm: bool = False, dropout: float = 0.0, form: str = "auto") -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"NodeAttention: form is {', '.join(FORMS)}, not {form!r}")
        self.attn = Softmax(dim, heads)
        self.norm = nn.LayerNorm(dim) if layer_norm else None
        self.drop = nn.Dropout(dropout)
        self.form = form
        for layer in (self.attn.qkv, self.attn.proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, h_ND: Tensor, segments: Segments) -> Tensor:
        form = self._form(h_ND)
        if form == "flat":
            z_ND = self._flat(h_ND, segments)
        elif form == "buckets":
            z_ND = _by_bucket(lambda h, inner: self.attn(h, segments=inner), h_ND, segments)
        else:
            z_ND = self.attn(h_ND, segments=segments)
        z_ND = h_ND + self.drop(z_ND)
        return z_ND if self.norm is None else self.norm(z_ND)

    def pooled(self, h_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        w_NH = self.column_means(h_ND, segments)
        if self.norm is not None:
            return graph_mean(self(h_ND, segments), segments), w_NH.mean(1)
        heads, dim = self.attn.heads, self.attn.dim
        wv_HED = self.attn.qkv.weight[2 * dim :].unflatten(0, (heads, -1))
        read_SHD = segment_pool(h_ND, w_NH, segments.offsets)
        # Not einsum: it looks whether there is one graph only, which an exported program must not.
        v_SD = (read_SHD.unsqueeze(2) * wv_HED.to(read_SHD.dtype)).sum(-1).flatten(1)
        z_SD = self.drop(self.attn.proj(v_SD + self.attn.qkv.bias[2 * dim :])) + graph_mean(h_ND, segments)
        empty_S1 = sizes_of(segments, z_SD).unsqueeze(1) == 0
        return z_SD.masked_fill(empty_S1, 0.0), w_NH.mean(1)

    def column_means(self, h_ND: Tensor, segments: Segments) -> Tensor:
        """w (N,H): the mean over its graph's nodes of how much they look at this one."""
        form = self._form(h_ND)
        if form == "flat":
            return self._flat_means(h_ND, segments)
        return _by_bucket(self._padded_means, h_ND, segments) if form == "buckets" else self._padded_means(h_ND, segments)

    def _padded_means(self, h_ND: Tensor, segments: Segments) -> Tensor:
        h_SLD, valid_SL = pad(h_ND, segments)
        r_SL = valid_SL.to(h_ND.dtype) / valid_SL.sum(1, keepdim=True).clamp(min=1)
        q_SHLE, k_SHLE = self._queries_and_keys(h_SLD)
        w_SHL = apply_transposed(q_SHLE, k_SHLE, r_SL, mask=four_dims(valid_SL))
        return unpad(w_SHL.transpose(1, 2), segments, h_ND)

    def _flat(self, h_ND: Tensor, segments: Segments) -> Tensor:
        """What attention adds to each node (N,D)."""
        layer, width = self.attn.qkv, 2 * self.attn.dim
        v_HNE = linear(h_ND, layer.weight[width:], layer.bias[width:]).unflatten(-1, (self.attn.heads, -1)).transpose(0, 1)
        read_HNE = torch.bmm(self._flat_shares(h_ND, segments).to(v_HNE.dtype), v_HNE)
        return self.attn.proj(torch.cat(read_HNE.unbind(0), 1))  # not transposed and flattened: that asks whether there is one node

    def _flat_means(self, h_ND: Tensor, segments: Segments) -> Tensor:
        r_N = 1.0 / sizes_of(segments, h_ND).index_select(0, segment_of(h_ND[:, 0], segments.offsets))
        p_HNN = self._flat_shares(h_ND, segments)
        with autocast_off(h_ND):
            return (r_N.to(p_HNN.dtype).unsqueeze(-1) * p_HNN).sum(1).T

    def _flat_shares(self, h_ND: Tensor, segments: Segments) -> Tensor:
        """How much each node looks at each other one (H,N,N), in at least float32.

        Not by the operations of the core: they compare sizes, and an exported program would be bound to what they found.
        """
        q_HNE, k_HNE = self._queries_and_keys(h_ND)
        full = torch.promote_types(h_ND.dtype, torch.float32)
        with autocast_off(h_ND):
            logits_HNN = torch.bmm(q_HNE.to(full) * q_HNE.shape[-1] ** -0.5, k_HNE.to(full).transpose(1, 2))
            return logits_HNN.masked_fill(~_same_graph(h_ND, segments), -torch.inf).softmax(-1)

    def _queries_and_keys(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Of (N,D) both (H,N,E), of (B,N,D) both (B,H,N,E)."""
        layer, width = self.attn.qkv, 2 * self.attn.dim
        both = linear(h, layer.weight[:width], layer.bias[:width]).unflatten(-1, (2, self.attn.heads, -1))
        q, k = both.movedim(-3, 0).transpose(-3, -2).unbind(0)
        return q, k

    def _form(self, h_ND: Tensor) -> str:
        if self.form != "auto":
            return self.form
        if torch.compiler.is_compiling():
            return "flat"
        return "padded" if is_tracing() or h_ND.device.type != "cpu" else "buckets"


def sizes_of(segments: Segments, like: Tensor) -> Tensor:
    """Nodes of each graph (S,), as numbers of the kind of `like`."""
    return segments.offsets.diff().to(like.dtype)


def graph_mean(x_ND: Tensor, segments: Segments) -> Tensor:
    """(S,D); zeros where a graph has no nodes."""
    segment_N = segment_of(x_ND[:, 0], segments.offsets)
    share_N1 = 1.0 / sizes_of(segments, x_ND).index_select(0, segment_N).unsqueeze(1)
    return segment_pool(x_ND, share_N1, segments.offsets).squeeze(1)


def graph_max(x_ND: Tensor, segments: Segments) -> Tensor:
    """(S,D); zeros where a graph has no nodes."""
    segment_N = segment_of(x_ND[:, 0], segments.offsets)
    low_SD = x_ND.new_zeros((segments.offsets.shape[0] - 1, x_ND.shape[1]))
    return low_SD.scatter_reduce(0, segment_N.unsqueeze(1).expand_as(x_ND), x_ND, "amax", include_self=False)


def buckets(sizes: list[int], slack: float = SLACK) -> list[int]:
    """The bucket of each graph, so that in none more than that share of the padded places is empty.

    >>> buckets([3, 100, 4, 90])
    [0, 1, 0, 1]
    """
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    bucket, held, nodes = 0, 0, 0
    found = [0] * len(sizes)
    for graph in order:
        held, nodes = held + 1, nodes + sizes[graph]
        if nodes < (1 - slack) * held * sizes[graph] and held > 1:
            bucket, held, nodes = bucket + 1, 1, sizes[graph]
        found[graph] = bucket
    return found


def _by_bucket(function: Callable[[Tensor, Segments], Tensor], h_ND: Tensor, segments: Segments) -> Tensor:
    """function of each bucket's nodes, its rows back in their places."""
    sizes = segments.offsets.diff().tolist()
    bucket_of = buckets(sizes)
    count = max(bucket_of) + 1
    if count == 1:
        return function(h_ND, segments)
    bucket_N = torch.tensor(bucket_of).repeat_interleave(segments.offsets.diff())
    places, parts = [], []
    for bucket in range(count):
        lengths = [size for size, own in zip(sizes, bucket_of, strict=True) if own == bucket]
        if sum(lengths):
            place = (bucket_N == bucket).nonzero().squeeze(1)
            places.append(place)
            parts.append(function(h_ND.index_select(0, place), Segments.from_lengths(lengths)))
    if not parts:  # only empty graphs
        return function(h_ND, segments)
    return torch.cat(parts).index_select(0, torch.cat(places).argsort())


def _same_graph(h_ND: Tensor, segments: Segments) -> Tensor:
    """Which pairs of nodes share a graph, bool (1,N,N)."""
    segment_N = segment_of(h_ND[:, 0], segments.offsets)
    return (segment_N.unsqueeze(1) == segment_N).unsqueeze(0)
