"""The readouts that drop nodes, against graphs from which the nodes are really taken."""

import pytest
import torch

from apps.histograph.bounds import alarms
from apps.histograph.gmt import Gmt
from apps.histograph.pooling import NodeDropping
from core_attention.segments import Segments
from tests.apps.histograph.graphs import graphs, history


def really_dropped(readout: NodeDropping, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
    """One graph, with PyG's way of going about it: nodes and their edges are removed."""
    total = torch.zeros(readout.out, dtype=x.dtype)
    for convolution, score in zip(readout.convolutions, readout.scores, strict=True):
        here = torch.ones(len(x), 1, dtype=x.dtype)
        x = convolution(x, edge_index, here).relu()
        values = score(x, edge_index, here) if readout.by_neighbours else score(x) / score.weight.norm()
        kept = values[:, 0].argsort(descending=True, stable=True)[: (len(x) + 1) // 2]
        place = torch.full((len(x),), -1)
        place[kept] = torch.arange(len(kept))
        x = (x * values.tanh())[kept]
        edge_index = place[edge_index]
        edge_index = edge_index[:, (edge_index >= 0).all(0)]
        total = total + torch.cat([x.mean(0), x.amax(0)])
    return total


@pytest.mark.parametrize("by_neighbours", [False, True])
def test_a_dropped_node_counts_as_if_it_were_not_there(by_neighbours: bool) -> None:
    torch.manual_seed(0)
    readout = NodeDropping(8, by_neighbours).double()
    lengths = [7, 1, 12]
    states, segments = history(lengths, layers=2)
    items = graphs(lengths)
    starts = segments.offsets[:-1].tolist()
    edge_index = torch.cat([item[1] + start for item, start in zip(items, starts, strict=True)], 1)
    found = readout.read_graph(states, segments, edge_index)
    for graph, (item, start, size) in enumerate(zip(items, starts, lengths, strict=True)):
        expected = really_dropped(readout, states[start : start + size, -1], item[1])
        torch.testing.assert_close(found.graphs[graph], expected, rtol=1e-10, atol=1e-12)
    for graph, start in enumerate(starts):
        assert float(found.node_weights[start : start + lengths[graph]].detach().sum()) == pytest.approx(1)


@pytest.mark.parametrize("make", [lambda: NodeDropping(8, True), lambda: Gmt(8, 2)])
def test_an_empty_graph_is_a_zero_row_with_finite_gradients(make) -> None:
    torch.manual_seed(0)
    readout = make().double()
    states, segments = history([3, 0, 4, 0], layers=2)
    states.requires_grad_()
    edge_index = torch.tensor([[0, 1, 3, 5], [1, 2, 4, 6]])
    found = readout.read_graph(states, segments, edge_index).graphs
    assert not found[[1, 3]].any()
    found.square().sum().backward()
    assert bool(states.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in readout.parameters())


def test_a_seed_count_does_not_bound_the_graph() -> None:
    """A graph smaller than the number of seeds, and one larger."""
    torch.manual_seed(0)
    readout = Gmt(8, 2).double()
    states, _ = history([30], layers=2)
    for size in (1, 3, 30):
        out = readout.read_graph(states[:size], Segments.from_lengths([size]), torch.zeros(2, 0, dtype=torch.int64))
        assert bool(out.graphs.isfinite().all())
        assert float(out.node_weights.detach().sum()) == pytest.approx(1)


def test_a_figure_above_what_is_possible_is_an_alarm() -> None:
    assert "leak until leakcheck says otherwise" in alarms("/data/PROTEINS/raw", "test/accuracy", 0.978)[0]
    assert not alarms("/data/PROTEINS", "test/accuracy", 0.75)
    assert alarms("IMDB-MULTI", "test/accuracy", 0.64)
    assert not alarms("mine", "test/accuracy", 1.0)
    assert not alarms("PROTEINS", "test/loss", 0.978)
