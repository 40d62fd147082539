"""What every readout is: a history and where each graph begins in, one vector a graph out, and what it looked at.

Shapes: N nodes of all graphs, S graphs, L states, C width of a state, D width.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.histograph.errors import HistoryLengthError, MissingIndexError
from apps.histograph.node_attention import sizes_of
from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["Reading", "Readout", "checked", "last_layer", "segments_of", "uniform_nodes"]


class Reading(NamedTuple):
    graphs: Tensor  # (S,D)
    layer_weights: Tensor  # (S,L), or (N,L) where each node has its own
    node_weights: Tensor  # (N,): they sum to 1 in each graph


class Readout(nn.Module):
    """`read(history (N,L,C), segments)`; `out` is D. Nodes of different graphs never meet."""

    out: int

    def stack(self, states: list[Tensor]) -> Tensor:
        """The states of a network as one history (N,L,C)."""
        return torch.stack(states, 1)

    def read(self, history_NLC: Tensor, segments: Segments) -> Reading:
        raise NotImplementedError

    def read_graph(self, history_NLC: Tensor, segments: Segments, edge_index: Tensor) -> Reading:
        """As `read`; a readout that passes messages itself has this one only."""
        return self.read(history_NLC, segments)

    def read_nodes(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """(one vector a node (N,D), layer weights), where the readout has nodes to give."""
        raise NotImplementedError


def segments_of(index: Tensor | None, num_graphs: int, nodes: int) -> tuple[Segments, Tensor | None]:
    """(where each graph begins, the order that sorts the nodes by graph, or None where they are sorted)."""
    if index is None:
        raise MissingIndexError("say which graph each node belongs to (index); for a single graph give zeros")
    if index.is_floating_point() or index.dtype == torch.bool or index.ndim != 1 or len(index) != nodes:
        raise ValueError(f"index is one whole number a node, ({nodes},), not {index.dtype} {tuple(index.shape)}")
    if num_graphs < 1:
        raise ValueError(f"num_graphs is at least 1, not {num_graphs}")
    if nodes and (int(index.min()) < 0 or int(index.max()) >= num_graphs):
        raise ValueError(f"index is in 0..{num_graphs - 1}, but goes from {int(index.min())} to {int(index.max())}; raise num_graphs?")
    order = None
    if nodes and bool((index.diff() < 0).any()):
        order = index.argsort(stable=True)
    counts = torch.bincount(index, minlength=num_graphs)
    return Segments.from_offsets(torch.cat([counts.new_zeros(1), counts.cumsum(0)])), order


def checked(history: Tensor, layers: int, width: int, validate: bool = False) -> Tensor:
    """The history (N,L,C), or an error naming what does not fit."""
    if history.ndim != 3 or history.shape[2] != width:
        raise ValueError(f"the history is (N, {layers}, {width}), not {tuple(history.shape)}")
    if history.shape[1] != layers:
        raise HistoryLengthError(f"this readout was built for {layers} states, the history has {history.shape[1]}")
    if validate and not bool(history.isfinite().all()):
        layer = int((~history.isfinite()).any(2).any(0).nonzero()[0])
        raise ValueError(f"the history is not finite in state {layer}")
    return history


def last_layer(history_NLC: Tensor, segments: Segments) -> Tensor:
    """Layer weights (S,L) of a readout that sees the last state only; zeros for a graph without nodes, as everywhere."""
    held_S1 = (sizes_of(segments, history_NLC) > 0).to(history_NLC.dtype).unsqueeze(1)
    ones_1L = torch.ones_like(history_NLC[:1, :, 0]) if history_NLC.shape[0] else history_NLC.new_ones(1, history_NLC.shape[1])
    return held_S1 * torch.cat([ones_1L[:, 1:] * 0, ones_1L[:, :1]], 1)


def uniform_nodes(x_ND: Tensor, segments: Segments) -> Tensor:
    """(N,): each node counts alike."""
    return 1.0 / sizes_of(segments, x_ND).index_select(0, segment_of(x_ND[:, 0], segments.offsets))
