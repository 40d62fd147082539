"""What becomes of the states with depth: do the nodes of a graph grow alike?

Shapes: N nodes of all graphs, E edges, L states, D width, S graphs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from apps.histograph.leakcheck import Item, batch_of
from apps.histograph.model import Histograph
from core_attention.segments import Segments

__all__ = ["Depth", "cosine", "depth_of", "dirichlet"]


class Depth(NamedTuple):
    energy: Tensor  # (L,)
    cosine: Tensor  # (L,)


def depth_of(model: Histograph, items: Sequence[Item]) -> Depth:
    """Both curves over these graphs, of the states as the readout takes them."""
    x, edge_index, edges, segments = batch_of(items)
    training = model.training
    device = next(model.parameters()).device
    with torch.no_grad():
        history = model.eval().history(x.to(device), edge_index.to(device), edges.to(device)).cpu()
    model.train(training)
    return Depth(dirichlet(history, edge_index), cosine(history, segments))


def dirichlet(history_NLD: Tensor, edge_index: Tensor) -> Tensor:
    """Of each state, half the sum over directed edges of |x_i/sqrt(d_i+1) - x_j/sqrt(d_j+1)|^2, over |x|^2: 0 where smooth, below 2."""
    degree_N = torch.bincount(edge_index[1], minlength=len(history_NLD))
    scaled_NLD = history_NLD.double() * (degree_N + 1).rsqrt()[:, None, None]
    off_ELD = scaled_NLD[edge_index[0]] - scaled_NLD[edge_index[1]]
    return 0.5 * off_ELD.square().sum((0, 2)) / history_NLD.double().square().sum((0, 2)).clamp(min=1e-30)


def cosine(history_NLD: Tensor, segments: Segments) -> Tensor:
    """The mean cosine between two different nodes of a graph, over graphs of two nodes and more; NaN without any."""
    unit_NLD = torch.nn.functional.normalize(history_NLD.double(), dim=2)
    means = []
    for part in unit_NLD.split(segments.offsets.diff().tolist()):
        if (nodes := len(part)) > 1:
            whole_L = part.sum(0).square().sum(1)  # of all pairs; a node with itself is its own square
            means.append((whole_L - part.square().sum((0, 2))) / (nodes * (nodes - 1)))
    return torch.stack(means).mean(0) if means else torch.full((history_NLD.shape[1],), torch.nan, dtype=torch.float64)
