"""A deep network whose last state has forgotten which node is which: its history has not."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from apps.histograph.model import NodeModel
from apps.histograph.options import Backbone, Read
from core_attention.segments import Segments
from datamodules.histograph.synth_one_graph import two_blocks

EMBEDDED = {"seed": 0, "block": 200, "p_in": 0.06, "p_out": 0.015, "test": 300}
OTHERS = [
    {"seed": 1, "block": 300, "p_in": 0.04, "p_out": 0.01, "test": 150},
    {"seed": 2, "block": 120, "p_in": 0.12, "p_out": 0.02, "test": 150},
    {"seed": 2, "block": 200, "p_in": 0.06, "p_out": 0.015, "test": 150},
]


def accuracy(read: Read, seed: int, shape: dict[str, Any]) -> float:
    """Of the test nodes in per cent, after 60 steps with 32 convolutions."""
    one = two_blocks(**shape, labelled=10, val=40)
    graph, rows = one.graph, {split: torch.from_numpy(own) for split, own in one.rows.items()}
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


def means(reads: dict[str, Read], shape: dict[str, Any]) -> dict[str, float]:
    """Over three seeds."""
    return {name: sum(accuracy(read, seed, shape) for seed in range(3)) / 3 for name, read in reads.items()}


@pytest.mark.full
@pytest.mark.parametrize("shape", [EMBEDDED, *OTHERS], ids=lambda shape: f"{shape['block']}-{shape['seed']}")
def test_with_33_states_the_last_is_lost_and_the_history_is_not(shape: dict[str, Any]) -> None:
    found = means({"last": Read(name="last"), "histo": Read(norm="l1")}, shape)
    assert found["last"] <= 60, found
    assert found["histo"] >= 85, found
