from pathlib import Path

import pytest
import torch

from apps.base.export import pt2
from apps.base.program import close, named, with_traces
from apps.histograph.model import Histograph
from apps.histograph.options import Backbone, Read
from apps.histograph.program import GraphProgram
from kernels.dispatch import use_backend
from tests.apps.histograph.graphs import graphs
from tests.apps.histograph.test_isolation import VARIANTS


def program(readout: Read, edge_width: int = 0, backbone: str = "gin", norm: str = "batch") -> GraphProgram:
    torch.manual_seed(0)
    facts = {"classes": ["a", "b", "c"], "features": ["f"] * 3, "edge_width": edge_width, "kind": "classes", "licence": "none"}
    facts |= {"codes": [], "edge_codes": [], "edge_names": []}
    model = Histograph(3, edge_width, 3, Backbone(name=backbone, layers=3, width=8, norm=norm), readout)  # type: ignore[arg-type]
    items = [item if edge_width else item[:2] for item in graphs([4, 11], edge_features=edge_width)]
    by_node = readout.name == "histo" and readout.score_pool == "node"
    return GraphProgram(model, facts, items, by_node).eval()


def scripted_equals_eager(made: GraphProgram) -> None:
    calls = made.calls(torch.Generator().manual_seed(1))
    with use_backend("reference"), torch.no_grad():
        twin = torch.jit.script(with_traces(made))
    with torch.no_grad():
        for call in calls:
            got, expected = named("forward", twin(*call.args)), named("forward", made(*call.args))
            assert got.keys() == expected.keys()
            for name, value in expected.items():
                assert close(got[name], value)[0], (name, call.args[3])


@pytest.mark.parametrize("readout", VARIANTS, ids=lambda read: f"{read.name}-{read.norm}-{read.node_attention}-{read.pool}")
def test_a_scripted_program_equals_eager_at_other_sizes_and_with_empty_graphs(readout: Read) -> None:
    scripted_equals_eager(program(readout))


@pytest.mark.parametrize("backbone", ["gine", "gcn", "sage", "gat", "gcnii", "smooth"])
def test_every_backbone_can_be_scripted(backbone: str) -> None:
    scripted_equals_eager(program(Read(), edge_width=2, backbone=backbone, norm="none" if backbone == "smooth" else "batch"))


PT2 = [
    Read(),
    *(
        pytest.param(read, marks=pytest.mark.full)
        for read in (
            Read(layer_norm=True),
            Read(pool="max"),
            Read(name="last_attended"),
            Read(name="set_transformer"),
            Read(name="gmt"),
            Read(name="topk"),
            Read(name="set2set"),
            Read(name="jk-lstm"),
        )
    ),
]


@pytest.mark.parametrize("readout", PT2, ids=lambda read: f"{read.name}-{read.layer_norm}-{read.pool}")
def test_a_pt2_program_equals_eager_at_other_sizes_and_with_empty_graphs(tmp_path: Path, readout: Read) -> None:
    made = program(readout)
    with use_backend("reference"):
        pt2.write(made, str(tmp_path / "graphs.pt2"), "{}", made.calls(torch.Generator().manual_seed(2)))
    twin = torch.export.load(tmp_path / "graphs.pt2").module()
    with torch.no_grad():
        for call in made.calls(torch.Generator().manual_seed(1)):
            got, expected = named("forward", twin(*call.args)), named("forward", made(*call.args))
            for name, value in expected.items():
                assert close(got[name], value)[0], (name, call.args[3])


def test_the_order_of_the_nodes_does_not_matter_to_a_program() -> None:
    made = program(Read())
    x, edge_index, index, count = made.calls(torch.Generator().manual_seed(1))[0].args
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        plain, moved = made(x, edge_index, index, count), made(x[order], order.argsort()[edge_index], index[order], count)
        empty = made(x, edge_index, index, count + 1)["out"]
    torch.testing.assert_close(moved["out"], plain["out"])
    torch.testing.assert_close(moved["node_weights"], plain["node_weights"][order])
    assert len(empty) == count + 1
    torch.testing.assert_close(empty[:-1], plain["out"])
