"""What layer weights of each kind can filter: the high pass on barbells, first without learning, then learned."""

from pathlib import Path

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.histograph.backbone import GraphNetwork
from apps.histograph.model import NodeModel
from apps.histograph.node_task import NodeClassification, NodeRegression
from apps.histograph.options import Backbone, Read
from core_attention.segments import Segments
from datamodules.errors import DataError
from datamodules.histograph.nodes import Barbells, TwoBlocks
from datamodules.histograph.synth_one_graph import barbells
from tests.system.command import Here

SMOOTH = Backbone(name="smooth", layers=2, width=4, norm="none")


def states() -> tuple[np.ndarray, np.ndarray]:
    """f, A f, A^2 f of 200 barbells as columns, out of the network itself, and the target."""
    graph = barbells(0, 198, 1, 1).graph
    network = GraphNetwork(1, 0, Backbone(name="smooth", layers=2, width=1, norm="none"))
    torch.nn.init.ones_(network.embed.weight)
    torch.nn.init.zeros_(network.embed.bias)
    with torch.no_grad():
        found = torch.cat(network(graph.x, graph.edge_index, graph.edges), 1)
    return found.double().numpy(), graph.y.double().numpy()[:, 0]


def error(weights: list[float]) -> float:
    """Relative squared error of the filter, its scale free: a matrix follows."""
    history, target = states()
    z = history @ np.array(weights)
    best = (z @ target) / (z @ z)
    return float(((target - best * z) ** 2).sum() / (target**2).sum())


def test_a_difference_of_layers_is_within_l1_and_beyond_convex_weights_and_the_last_state() -> None:
    assert error([0.5, -0.5, 0.0]) == pytest.approx(0.0, abs=1e-12)  # sizes sum to 1
    assert error([0.0, 0.0, 1.0]) == pytest.approx(1.0, abs=0.01)
    grid = np.linspace(0, 1, 21)
    assert min(error([p, q, 1 - p - q]) for p in grid for q in grid if p + q <= 1) == pytest.approx(0.13, abs=0.02)


def test_weights_that_sum_to_one_come_near_it_only_by_growing() -> None:
    errors = [error([bound, 1 - bound, 0.0]) for bound in (2.0, 5.0, 20.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.12
    assert errors[1] > 1e-4
    assert errors[2] < errors[1] / 10


def learned(read: Read) -> float:
    """Relative squared error on barbells that were not trained on, after the recipe's steps."""
    one = barbells(0, 20, 1, 20)
    graph, rows = one.graph, {split: torch.from_numpy(own) for split, own in one.rows.items()}
    torch.manual_seed(0)
    model = NodeModel(1, 0, 1, SMOOTH, read, dropout=0.0)
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.Adam([*model.readout.parameters(), *model.head.parameters()], lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    inputs = (graph.x, graph.edge_index, graph.edges, Segments.from_lengths([len(graph.x)]))
    for _ in range(400):
        optimizer.zero_grad()
        (model(*inputs, rows["train"]).out - graph.y[rows["train"]]).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        target = graph.y[rows["test"]]
        return float((model.eval()(*inputs, rows["test"]).out - target).square().sum() / target.square().sum())


def test_learned_l1_weights_are_a_high_pass_and_softmax_ones_and_the_last_state_cannot_be() -> None:
    assert learned(Read(norm="l1", node_attention="none")) <= 0.02
    assert learned(Read(norm="softmax", node_attention="none")) >= 0.12
    assert learned(Read(name="last")) >= 0.95


def test_smooth_learns_nothing_above_the_embedding_and_is_linear_in_it() -> None:
    graph = barbells(0, 1, 1, 1).graph
    network = GraphNetwork(1, 0, SMOOTH)
    assert {name.partition(".")[0] for name, _ in network.named_parameters()} == {"embed"}
    torch.nn.init.zeros_(network.embed.bias)
    with torch.no_grad():
        for one, other in zip(*(network(scale * graph.x, graph.edge_index, graph.edges) for scale in (1, -2)), strict=True):
            torch.testing.assert_close(other, -2 * one)
    with pytest.raises(ValueError, match=r"backbone\.norm=batch would; set it to none"):
        Backbone(name="smooth")


def test_numbers_and_classes_of_nodes_are_not_confused() -> None:
    with pytest.raises(UserError, match=r"barbells are numbers: give --model apps\.histograph\.node_task\.NodeRegression"):
        NodeClassification().gather(Barbells())
    with pytest.raises(UserError, match=r"are classes: give --model apps\.histograph\.node_task\.NodeClassification"):
        NodeRegression().gather(TwoBlocks())
    with pytest.raises(DataError, match="at least one each"):
        Barbells(test=0)


def test_barbells_are_learned_tested_exported_and_explained(tmp_path: Path, here: Here) -> None:
    import json

    tiny = ("--trainer.max_epochs=40", "--trainer.accelerator=cpu", "--data.train=4", "--data.val=2", "--data.test=4")
    assert here("histograph", "fit", "--config", "barbell", *tiny).returncode == 0
    answer = json.loads(here("histograph", "test").stdout)
    assert set(answer) >= {"test/mae", "test/rmse", "test/r2", "test/constant"}
    assert here("histograph", "export", "-o", "nodes.ts").returncode == 0
    graph = barbells(1, 1, 1, 1).graph
    (tmp_path / "own.json").write_text(json.dumps({"x": graph.x.tolist(), "edges": graph.edge_index.T.tolist()}))
    row = json.loads(here("predict", "nodes.ts", "own.json").stdout)
    assert np.array(row["out"]).shape == (72, 1)
    assert "probs" not in row
    said = here("histograph", "explain", "--ckpt", "best", "-o", "why")
    assert said.returncode == 0, said.stderr
    assert {path.name for path in (tmp_path / "why").iterdir()} == {"depth.png", "layers.png", "depth.csv"}
    lines = (tmp_path / "why" / "depth.csv").read_text().splitlines()
    assert lines[0] == "layer,energy,cosine,weight,deviation"
    energy = [float(line.split(",")[1]) for line in lines[1:]]
    assert energy == sorted(energy, reverse=True)  # each mean is smoother than what it is a mean of
    assert "takes no INPUT" in here("histograph", "explain", "own.json", "--ckpt", "best", "-o", "why").line
