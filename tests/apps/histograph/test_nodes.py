"""Heads of nodes and links, and readouts that give one vector a node."""

from pathlib import Path
from typing import Any

import pytest
import torch

from apps.base.errors import FailureError, UserError
from apps.base.export import pt2
from apps.base.optim import Optim
from apps.base.program import close, named, with_traces
from apps.histograph.errors import StaleCacheError
from apps.histograph.leakcheck import batch_of
from apps.histograph.link_task import LinkPrediction
from apps.histograph.model import LinkHead, LinkModel, NodeModel
from apps.histograph.node_program import NodeProgram
from apps.histograph.node_task import NodeClassification, check_size
from apps.histograph.options import Backbone, Read
from apps.histograph.readout import HistoReadout
from apps.histograph.readouts import NODE_READOUTS, build_node_readout, build_readout
from apps.histograph.task import GraphClassification
from core_attention.segments import Segments
from datamodules.histograph.datamodule import Cycles
from datamodules.histograph.links import BlockLinks
from datamodules.histograph.nodes import TwoBlocks
from kernels.dispatch import use_backend
from tests.apps.histograph.graphs import graphs

GCN = Backbone(name="gcn", layers=3, width=8, norm="none")
READS = [
    *(Read(name=name) for name in NODE_READOUTS),  # type: ignore[arg-type]
    Read(score_pool="node", node_attention="none"), Read(project="per_layer", norm="l1"), Read(node_attention="induced"),
]  # fmt: skip


def model(read: Read, backbone: Backbone = GCN) -> NodeModel:
    torch.manual_seed(0)
    return NodeModel(3, 0, 4, backbone, read).eval().double()


def batch(sizes: list[int]):
    x, *rest = batch_of(graphs(sizes))
    return x.double(), rest[0], rest[1].double(), rest[2]


@pytest.mark.parametrize("read", READS, ids=lambda read: f"{read.name}-{read.score_pool}-{read.project}-{read.node_attention}")
def test_an_answer_for_a_node_does_not_depend_on_other_graphs_and_goes_with_its_node(read: Read) -> None:
    x, edge_index, edges, segments = batch([5, 9, 4])
    made = model(read)
    together = made(x, edge_index, edges, segments).out
    own = edge_index[:, (edge_index[0] >= 5) & (edge_index[0] < 14)] - 5
    alone = made(x[5:14], own, edges[: own.shape[1]], Segments.from_lengths([9])).out
    torch.testing.assert_close(together[5:14], alone, atol=1e-12, rtol=0)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    moved = made(x[5:14][order], order.argsort()[own], edges[: own.shape[1]], Segments.from_lengths([9])).out
    torch.testing.assert_close(moved, alone[order], atol=1e-12, rtol=0)
    picked = torch.tensor([7, 2, 7])
    torch.testing.assert_close(made(x, edge_index, edges, segments, picked).out, together[picked])


def test_nodes_with_an_index_equal_nodes_with_segments_also_when_unsorted() -> None:
    torch.manual_seed(0)
    readout = HistoReadout(8, 4, heads=2, layer_norm=True, score_pool="node").eval()
    history, index = torch.randn(12, 4, 8), torch.tensor([1, 0, 2, 2, 1, 0, 0, 1, 2, 1, 0, 2])
    order = index.argsort(stable=True)
    sorted_z, weights = readout.read_nodes(history[order], Segments.from_lengths([4, 4, 4]))
    assert weights.shape == (12, 4)
    torch.testing.assert_close(readout.nodes(history, index, 3)[order], sorted_z)


def test_layer_norm_is_on_for_nodes_and_off_for_graphs_unless_said() -> None:
    norm = {
        "graphs": build_readout(Read(), 8, 4).nodes_attention.norm,  # type: ignore[union-attr]
        "nodes": build_node_readout(Read(), 8, 4).nodes_attention.norm,  # type: ignore[union-attr]
        "off": build_node_readout(Read(layer_norm=False), 8, 4).nodes_attention.norm,  # type: ignore[union-attr]
    }
    assert norm["graphs"] is None
    assert norm["nodes"] is not None
    assert norm["off"] is None
    assert build_node_readout(Read(node_attention="none"), 8, 4).nodes_attention is None  # type: ignore[union-attr]


def test_readouts_that_give_no_nodes_are_refused_for_nodes_and_the_other_way_round() -> None:
    with pytest.raises(ValueError, match="gives graphs, not nodes; of nodes there are last, histo"):
        build_node_readout(Read(name="set2set"), 8, 4)
    with pytest.raises(ValueError, match="take mean"):
        build_readout(Read(name="last"), 8, 4)
    with pytest.raises(ValueError, match=r"readout\.pool=sum"):
        build_node_readout(Read(pool="sum"), 8, 4)


def test_a_symmetric_head_does_not_tell_u_v_from_v_u_and_a_directed_one_does() -> None:
    torch.manual_seed(0)
    u, v = torch.randn(5, 8), torch.randn(5, 8)
    symmetric, directed = LinkHead(8).eval(), LinkHead(8, directed=True).eval()
    assert torch.equal(symmetric(u, v), symmetric(v, u))
    assert not torch.allclose(directed(u, v), directed(v, u))


def test_the_state_of_a_link_comes_from_its_two_ends() -> None:
    torch.manual_seed(0)
    made = LinkModel(3, 0, GCN, Read(name="last")).eval().double()
    x, edge_index, edges, segments = batch([9])
    pairs = torch.tensor([[0, 3], [4, 4]])
    z, _ = made.readout.read_nodes(made.history(x, edge_index, edges), segments)
    torch.testing.assert_close(made(x, edge_index, edges, segments, pairs).out, made.head(z[pairs[0]], z[pairs[1]]))


def test_data_and_task_are_of_one_level() -> None:
    with pytest.raises(
        UserError, match=r"TwoBlocks gives nodes and GraphClassification learns graphs; give --model apps\.histograph\.node_task"
    ):
        GraphClassification().gather(TwoBlocks())
    with pytest.raises(UserError, match="Cycles gives graphs and NodeClassification learns nodes"):
        NodeClassification().gather(Cycles(train=12, val=6, test=6))
    with pytest.raises(UserError, match=r"set model\.directed=False"):
        LinkPrediction(directed=True).gather(BlockLinks())


def test_attention_of_all_nodes_to_all_is_refused_where_it_would_not_fit() -> None:
    with pytest.raises(UserError, match=r"19,717; set readout\.node_attention=induced or none, or data\.fanout"):
        check_size(Read(), 19_717)
    check_size(Read(node_attention="none"), 19_717)
    check_size(Read(name="jk-cat"), 19_717)


def node_program(read: Read) -> NodeProgram:
    torch.manual_seed(0)
    facts = {"classes": ["a", "b", "c", "d"], "features": ["f"] * 3, "edge_width": 0, "kind": "classes", "licence": "none"}
    facts |= {"edge_names": [], "codes": [], "edge_codes": []}
    items = [item[:2] for item in graphs([4, 11])]
    return NodeProgram(NodeModel(3, 0, 4, GCN, read), facts, items, read.score_pool == "node").eval()


def equals_eager(made: NodeProgram, twin: Any) -> None:
    with torch.no_grad():
        for call in made.calls(torch.Generator().manual_seed(1)):
            got, expected = named("forward", twin(*call.args)), named("forward", made(*call.args))
            for name, value in expected.items():
                assert close(got[name], value)[0], (name, call.args[3])
            assert len(expected["out"]) == len(call.args[0])


@pytest.mark.parametrize("read", READS, ids=lambda read: f"{read.name}-{read.score_pool}-{read.project}-{read.node_attention}")
def test_a_scripted_program_of_nodes_equals_eager_at_other_sizes_and_with_empty_graphs(read: Read) -> None:
    made = node_program(read)
    with use_backend("reference"), torch.no_grad():
        twin = torch.jit.script(with_traces(made))
    equals_eager(made, twin)


@pytest.mark.parametrize("read", [Read(), *(pytest.param(read, marks=pytest.mark.full) for read in READS[:6])], ids=lambda read: read.name)
def test_a_pt2_program_of_nodes_equals_eager_at_other_sizes(tmp_path: Path, read: Read) -> None:
    made = node_program(read)
    calls = made.calls(torch.Generator().manual_seed(2))
    with use_backend("reference"):
        pt2.write(made, str(tmp_path / "nodes.pt2"), "{}", calls)
    equals_eager(made, torch.export.load(tmp_path / "nodes.pt2").module())


def test_what_has_no_pt2_form_says_so_in_one_line(tmp_path: Path) -> None:
    made = node_program(Read(node_attention="induced"))
    with pytest.raises(FailureError, match=r"pads to the largest graph.*write \.ts") as said:
        pt2.write(made, str(tmp_path / "nodes.pt2"), "{}", made.calls(torch.Generator().manual_seed(2)))
    assert "\n" not in str(said.value)


def test_histories_of_another_network_or_a_training_one_are_refused(tmp_path) -> None:
    from apps.histograph.cache import HistoryCache, check_histories

    task, data = NodeClassification(backbone=GCN), TwoBlocks()
    task.build(task.gather(data))
    HistoryCache.build(task.model, data, tmp_path / "h")
    kept = TwoBlocks(history=str(tmp_path / "h"))
    with pytest.raises(UserError, match="this one would train"):
        task.gather(kept)
    NodeClassification(backbone=GCN, optim=Optim(freeze=4)).gather(kept)
    check_histories(task.model, kept.history)
    HistoryCache.open(tmp_path / "h", task.model, kept)
    kept.setup()
    with pytest.raises(StaleCacheError, match="another data"):
        TwoBlocks(history=str(tmp_path / "h"), graph_seed=1).setup()
    with torch.no_grad():
        task.model.backbone.layers[0].linear.weight[0, 0] += 1e-6
    with pytest.raises(StaleCacheError, match="another backbone"):
        check_histories(task.model, kept.history)


@pytest.mark.parametrize(
    "data", [lambda history: TwoBlocks(history=history), lambda history: Cycles(8, train=12, val=6, test=6, history=history)]
)
def test_logits_from_kept_states_equal_those_of_the_live_network_and_it_gets_no_gradient(tmp_path, data) -> None:
    from apps.histograph.cache import HistoryCache

    live = data(None)
    task = (NodeClassification if live.level == "node" else GraphClassification)(backbone=Backbone(layers=2, width=8), dropout=0.0)
    task.build(task.gather(live))
    HistoryCache.build(task.model, live, tmp_path / "h")
    kept = data(str(tmp_path / "h"))
    for source in (live, kept):
        source.setup()
    one, other = next(iter(live.test_dataloader())), next(iter(kept.test_dataloader()))
    task.eval()
    task.model.backbone.requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(task.model(*task.inputs(other)).out, task.model(*task.inputs(one)).out, atol=1e-6, rtol=0)
    task.train()
    before = {name: value.clone() for name, value in task.model.backbone.state_dict().items()}
    outputs = task.model(*task.inputs(next(iter(kept.train_dataloader()))))
    outputs.out.sum().backward()
    assert all(parameter.grad is None for parameter in task.model.backbone.parameters())
    assert any(parameter.grad is not None for parameter in task.model.readout.parameters())
    assert all(torch.equal(value, before[name]) for name, value in task.model.backbone.state_dict().items())  # running averages, too
