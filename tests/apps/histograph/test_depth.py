"""A deep network whose last state has forgotten which node is which: its history has not."""

import pytest
import torch
import torch.nn.functional as F

from apps.histograph.model import NodeModel
from apps.histograph.options import Backbone, Read
from core_attention.segments import Segments
from datamodules.histograph.synth_networks import two_blocks


def accuracy(read: Read, seed: int) -> float:
    """Of 300 test nodes of the embedded graph in per cent, after 60 steps with 32 convolutions."""
    network = two_blocks(0, block=200, p_in=0.06, p_out=0.015, labelled=10, val=80, test=300)
    graph, rows = network.graph, {split: torch.from_numpy(own) for split, own in network.rows.items()}
    torch.manual_seed(seed)
    model = NodeModel(8, 0, 2, Backbone(name="gcn", layers=32, width=16, norm="none"), read, dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    inputs = (graph.x, graph.edge_index, graph.edges, Segments.from_lengths([len(graph.x)]))
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(*inputs, rows["train"]).out, graph.y[rows["train"]]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    with torch.no_grad():
        right = model.eval()(*inputs, rows["test"]).out.argmax(1) == graph.y[rows["test"]]
    return 100 * float(right.double().mean())


@pytest.mark.full
def test_with_33_states_the_last_is_lost_and_the_history_is_not() -> None:
    found = {name: [accuracy(read, seed) for seed in range(3)] for name, read in (("last", Read(name="last")), ("histo", Read(norm="l1")))}
    assert sum(found["last"]) / 3 <= 60, found
    assert sum(found["histo"]) / 3 >= 85, found
