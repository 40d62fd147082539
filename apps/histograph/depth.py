"""What becomes of the states with depth: do the nodes of a graph grow alike?

Shapes: N nodes of all graphs, E edges, L states, D width, S graphs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from apps.histograph.leakcheck import Item, batch_of
from apps.histograph.model import WithHistory
from core_attention.segments import Segments

__all__ = ["Depth", "States", "cosine", "depth_of", "dirichlet", "layer_weights_of", "states_of"]


class Depth(NamedTuple):
    energy: Tensor  # (L,)
    cosine: Tensor  # (L,)


class States(NamedTuple):
    """What a network makes of some graphs, as the readout takes it."""

    history_NLC: Tensor
    edge_index: Tensor
    segments: Segments


def depth_of(states: States) -> Depth:
    """Both curves over these graphs."""
    return Depth(dirichlet(states.history_NLC, states.edge_index), cosine(states.history_NLC, states.segments))


def layer_weights_of(model: WithHistory, states: States) -> Tensor:
    """Of a model of nodes or links: (S,L), or (N,L) where each node has its own."""
    training = model.training
    with torch.no_grad():
        weights = model.eval().readout.read_nodes(states.history_NLC, states.segments)[1]
    model.train(training)
    return weights


def states_of(model: WithHistory, items: Sequence[Item]) -> States:
    """The network runs once over these graphs."""
    x, edge_index, edges, segments = batch_of(items)
    training = model.training
    device = next(model.parameters()).device
    with torch.no_grad():
        history_NLC = model.eval().history(x.to(device), edge_index.to(device), edges.to(device)).cpu()
    model.train(training)
    return States(history_NLC, edge_index, segments)


def dirichlet(history_NLD: Tensor, edge_index: Tensor) -> Tensor:
    """Of each state, half the sum over directed edges of |x_i/sqrt(d_i+1) - x_j/sqrt(d_j+1)|^2, over |x|^2: 0 where smooth, below 2."""
    degree_N = torch.bincount(edge_index[1], minlength=len(history_NLD))
    scale_N1 = (degree_N + 1).double().rsqrt().unsqueeze(1)
    energies = []
    for x_ND in history_NLD.double().unbind(1):  # one by one: of all states at once a large graph's edges would not fit
        scaled_ND = x_ND * scale_N1
        off_ED = scaled_ND[edge_index[0]] - scaled_ND[edge_index[1]]
        energies.append(0.5 * off_ED.square().sum() / x_ND.square().sum().clamp(min=1e-30))
    return torch.stack(energies)


def cosine(history_NLD: Tensor, segments: Segments) -> Tensor:
    """The mean cosine between two different nodes of a graph, over graphs of two nodes and more; NaN without any."""
    unit_NLD = torch.nn.functional.normalize(history_NLD.double(), dim=2)
    means = []
    for part in unit_NLD.split(segments.offsets.diff().tolist()):
        if (nodes := len(part)) > 1:
            whole_L = part.sum(0).square().sum(1)  # of all pairs; a node with itself is its own square
            means.append((whole_L - part.square().sum((0, 2))) / (nodes * (nodes - 1)))
    return torch.stack(means).mean(0) if means else torch.full((history_NLD.shape[1],), torch.nan, dtype=torch.float64)
