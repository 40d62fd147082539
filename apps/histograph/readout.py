"""HISTOGRAPH's readout: attention over the layers of each graph, then over its nodes, then their mean (arXiv 2601.01123).

Plain torch, without PyG. The formulas were read second-hand (the paper's full text could not be opened); what they leave open is decided
here: scores are averaged over the nodes of ONE graph, the history begins with the embedded input, the residual is on, LayerNorm is off.

Shapes: N nodes of all graphs, S graphs, L states, C width of a state, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from apps.histograph.induced import InducedAttention
from apps.histograph.mixing import require_mixing_allowed
from apps.histograph.node_attention import NodeAttention, graph_max, graph_mean, sizes_of
from apps.histograph.reading import Reading, Readout, checked, segments_of, uniform_nodes
from core_attention.depth.history import HistoryAttention
from core_attention.segments import Segments

__all__ = ["HistoReadout"]


class HistoReadout(Readout):
    """One vector a graph (S,D) of a history (N,L,C), or of a list of L states (N,C_l).

    in_channels: C, or the width of each state. num_layers: L. out_channels: D; None is C, or the width of the last state.
    norm: of the layer weights, as in `history_attention`; guard: bounds them to 1 / guard where their sum comes near zero ("signed").
    node_attention: "full", "induced" (16 learned points, for graphs of thousands of nodes), or "none": then it is linear in the history.
    score_pool: "graph" shares the layer weights among a graph's nodes, "node" gives each its own.
    project: one embedding for all states ("shared"), or one each ("per_layer"); states of unequal width need the latter.
    value: a value projection in the first stage. layer_norm: after the residual of the second. dropout: in the second stage.
    pool: mean, sum or max over the nodes. mix_batch: see mixing.py.

    >>> readout = HistoReadout(32, num_layers=6)
    >>> readout(torch.randn(10, 6, 32), torch.tensor([0] * 7 + [1] * 3), 2).shape
    torch.Size([2, 32])
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        num_layers: int,
        out_channels: int | None = None,
        *,
        heads: int = 4,
        norm: str = "signed",
        guard: float = 0.05,
        node_attention: str = "full",
        score_pool: str = "graph",
        project: str = "shared",
        value: bool = False,
        layer_norm: bool = False,
        dropout: float = 0.0,
        pool: str = "mean",
        mix_batch: bool = False,
    ) -> None:
        super().__init__()
        widths = [in_channels] * num_layers if isinstance(in_channels, int) else list(in_channels)
        _check(widths, num_layers, node_attention, score_pool, project, pool, layer_norm)
        if mix_batch:
            require_mixing_allowed()
        self.widths, self.num_layers, self.out = widths, num_layers, out_channels or widths[-1]
        self.score_pool, self.pool, self.mix_batch = score_pool, pool, mix_batch
        self.embs = None
        if project == "per_layer":
            embs = [nn.Linear(width, self.out) for width in widths]
            for layer in embs:
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.embs = nn.ModuleList(embs)
        self.layers = HistoryAttention(self.out, num_layers, self.out if self.embs else widths[0], norm=norm, eps=guard, value=value)
        if self.embs is not None:  # each state has been embedded already: only key and value are folded
            nn.init.eye_(self.layers.emb.weight)
            self.layers.emb.requires_grad_(False)
        self.nodes_attention: NodeAttention | InducedAttention | None = None
        if node_attention == "full":
            self.nodes_attention = NodeAttention(self.out, heads, layer_norm, dropout)
        elif node_attention == "induced":
            self.nodes_attention = InducedAttention(self.out, heads, layer_norm=layer_norm, dropout=dropout)

    # --- with an index, for people ---------------------------------------------------------------------------------

    def forward(self, history: Tensor | list[Tensor], index: Tensor, num_graphs: int, validate: bool = False) -> Tensor:
        """(S,D). index: the graph of each node, sorted or not. num_graphs: also counts empty graphs at the end.
        validate: refuse a history that is not finite."""
        history_NLC, segments, _ = self._taken(history, index, num_graphs, validate)
        return self.read(history_NLC, segments).graphs

    def nodes(self, history: Tensor | list[Tensor], index: Tensor, num_graphs: int) -> Tensor:
        """Z (N,D), for heads of nodes and links."""
        history_NLC, segments, order = self._taken(history, index, num_graphs)
        z_ND, _ = self.read_nodes(history_NLC, segments)
        return z_ND if order is None else z_ND.index_select(0, order.argsort())

    def layer_weights(self, history: Tensor | list[Tensor], index: Tensor, num_graphs: int) -> Tensor:
        """(S,L); (N,L) with score_pool="node"."""
        history_NLC, segments, order = self._taken(history, index, num_graphs)
        weights = self._filtered(history_NLC, segments)[1]
        return weights if order is None or self.score_pool == "graph" else weights.index_select(0, order.argsort())

    def _taken(
        self, history: Tensor | list[Tensor], index: Tensor, num_graphs: int, validate: bool = False
    ) -> tuple[Tensor, Segments, Tensor | None]:
        if isinstance(history, list):
            if len(history) == self.num_layers and [state.shape[-1] for state in history] != self.widths:
                raise ValueError(f"the states are {self.widths} wide, not {[state.shape[-1] for state in history]}")
            history = self.stack(history) if len(history) == self.num_layers else torch.stack(history, 1)
        else:
            history = checked(history, self.num_layers, self.widths[0], validate)
            if self.embs is not None:
                history = self.stack(list(history.unbind(1)))
        history = checked(history, self.num_layers, self.layers.emb.in_features, validate)
        segments, order = segments_of(index, num_graphs, len(history))
        return history if order is None else history.index_select(0, order), segments, order

    # --- with segments, for models ---------------------------------------------------------------------------------

    def stack(self, states: list[Tensor]) -> Tensor:
        """The states as one history (N,L,C), embedded where each has an embedding of its own."""
        if self.embs is not None:
            states = [emb(state) for emb, state in zip(self.embs, states, strict=True)]
        return super().stack(states)

    def read(self, history_NLC: Tensor, segments: Segments) -> Reading:
        """Of nodes sorted by graph, of a history as `stack` makes it."""
        h_ND, weights = self._filtered(history_NLC, segments)
        mixed = self._mixed(h_ND, segments)
        if self.nodes_attention is None:
            z_SD, w_N = None, uniform_nodes(h_ND, segments)
        else:
            z_SD, w_N = self.nodes_attention.pooled(h_ND, mixed)
        if self.pool == "max":
            z_ND = h_ND if self.nodes_attention is None else self.nodes_attention(h_ND, mixed)
            return Reading(graph_max(z_ND, segments), weights, w_N)
        if self.mix_batch or z_SD is None:
            z_SD = graph_mean(h_ND if self.nodes_attention is None else self.nodes_attention(h_ND, mixed), segments)
        if self.pool == "sum":
            z_SD = z_SD * sizes_of(segments, z_SD).unsqueeze(1)
        return Reading(z_SD, weights, w_N)

    def read_nodes(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """(Z (N,D), layer weights)."""
        h_ND, weights = self._filtered(history_NLC, segments)
        return (h_ND if self.nodes_attention is None else self.nodes_attention(h_ND, self._mixed(h_ND, segments))), weights

    def _filtered(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        if self.score_pool == "node":
            return self.layers(history_NLC, None)
        h_ND, weights_SL = self.layers(history_NLC, self._mixed(history_NLC, segments))
        if self.mix_batch:
            weights_SL = weights_SL.expand(segments.count, -1)
        return h_ND, weights_SL

    def _mixed(self, x_N: Tensor, segments: Segments) -> Segments:
        """All nodes as one graph, where that was asked for and is allowed."""
        if not self.mix_batch:
            return segments
        require_mixing_allowed()
        return Segments(segments.offsets[[0, -1]], x_N.shape[0], 1)


def _check(widths: list[int], layers: int, node_attention: str, score_pool: str, project: str, pool: str, layer_norm: bool) -> None:
    for name, value, known in (
        ("node_attention", node_attention, ("full", "induced", "none")),
        ("score_pool", score_pool, ("graph", "node")),
        ("project", project, ("shared", "per_layer")),
        ("pool", pool, ("mean", "sum", "max")),
    ):
        if value not in known:
            raise ValueError(f"HistoReadout: {name} is {', '.join(known)}, not {value!r}")
    if layers < 1 or len(widths) != layers:
        raise ValueError(f"HistoReadout: num_layers={layers}, but in_channels names {len(widths)} widths; it is one number or one a state")
    if len(set(widths)) > 1 and project == "shared":
        raise ValueError(f"HistoReadout: states of widths {widths} share no embedding; set project='per_layer'")
    if layer_norm and node_attention == "none":
        raise ValueError("HistoReadout: layer_norm follows node attention; with node_attention='none' leave it off")
