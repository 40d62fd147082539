"""Our message passing against PyG's layers with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from apps.histograph.convolutions import CONVOLUTIONS, Gat, Gcn, Gcnii, Gin, Gine, Sage, smoothed

pyg = pytest.importorskip("torch_geometric.nn")


def graph() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randint(0, 12, (2, 40), generator=generator)
    pairs = pairs[:, pairs[0] != pairs[1]].unique(dim=1)
    edge_index = torch.cat([pairs, pairs.flip(0)], 1).unique(dim=1)
    return torch.randn(12, 8, generator=generator), edge_index, torch.rand(edge_index.shape[1], 3, generator=generator)


def test_gcn_is_pygs() -> None:
    x, edge_index, edges = graph()
    ours, theirs = Gcn(8, 3, 1), pyg.GCNConv(8, 8)
    theirs.lin.weight.data, theirs.bias.data = ours.linear.weight.data, torch.randn(8)
    ours.bias.data = theirs.bias.data
    torch.testing.assert_close(ours(x, edge_index, edges, x), theirs(x, edge_index))


@pytest.mark.parametrize("edge", [False, True])
def test_gin_and_gine_are_pygs(edge: bool) -> None:
    x, edge_index, edges = graph()
    ours = (Gine if edge else Gin)(8, 3, 1).eval()
    ours.eps.data.fill_(0.3)
    theirs = pyg.GINEConv(ours.mlp, eps=0.3, edge_dim=3) if edge else pyg.GINConv(ours.mlp, eps=0.3)
    if edge:
        theirs.lin.weight.data, theirs.lin.bias.data = ours.edge.weight.data, ours.edge.bias.data  # type: ignore[union-attr]
    expected = theirs(x, edge_index, edges) if edge else theirs(x, edge_index)
    torch.testing.assert_close(ours(x, edge_index, edges, x), expected)


def test_sage_is_pygs() -> None:
    x, edge_index, edges = graph()
    ours, theirs = Sage(8, 3, 1), pyg.SAGEConv(8, 8)
    theirs.lin_l.weight.data, theirs.lin_r.weight.data = ours.others.weight.data, ours.own.weight.data
    theirs.lin_l.bias.data = ours.own.bias.data
    torch.testing.assert_close(ours(x, edge_index, edges, x), theirs(x, edge_index))


def test_gat_is_pygs() -> None:
    x, edge_index, edges = graph()
    ours, theirs = Gat(8, 3, 1), pyg.GATConv(8, 2, heads=4)
    theirs.lin.weight.data = ours.linear.weight.data
    theirs.att_src.data, theirs.att_dst.data = ours.source_HW.data[None], ours.target_HW.data[None]
    torch.testing.assert_close(ours(x, edge_index, edges, x), theirs(x, edge_index))


def test_gcnii_is_the_papers_equation() -> None:
    x, edge_index, edges = graph()
    ours, first = Gcnii(8, 3, 2), torch.randn(12, 8)
    inner = 0.9 * smoothed(x, edge_index) + 0.1 * first
    beta = torch.log(torch.tensor(0.5 / 2 + 1))
    expected = inner @ ((1 - beta) * torch.eye(8) + beta * ours.linear.weight.T)
    torch.testing.assert_close(ours(x, edge_index, edges, first), expected)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_node_without_edges_is_no_trouble(name: str) -> None:
    layer: nn.Module = CONVOLUTIONS[name](8, 3, 1).eval()
    x = torch.randn(3, 8)
    answer = layer(x, torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0, 3), x)
    assert bool(answer.isfinite().all())


def test_edge_features_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="take gin"):
        Gine(8, 0, 1)
