"""The programs of graphs and of nodes as ONNX files: any number of graphs, empty ones too, nodes in any order."""

from pathlib import Path
from typing import Any

import pytest

from apps.base.errors import FailureError
from apps.base.export import export_program
from apps.base.shell import Shell
from apps.histograph.model import NodeModel
from apps.histograph.node_program import NodeProgram
from apps.histograph.options import Backbone, Read
from tests.apps.histograph.graphs import graphs
from tests.apps.histograph.test_isolation import BACKBONES, VARIANTS
from tests.apps.histograph.test_program import program

pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")

QUIET = Shell(quiet=True)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def test_induced_attention_is_refused_with_what_to_take_instead(tmp_path: Path) -> None:
    with pytest.raises(FailureError, match=r"GraphProgram.forward has no onnx form .*induced attention pads.*write \.ts instead"):
        export_program(program(Read(node_attention="induced")), tmp_path / "graphs.onnx", None, QUIET)
    assert not (tmp_path / "graphs.onnx").exists()


@pytest.mark.full
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_has_an_onnx_form(tmp_path: Path, backbone: str) -> None:
    made = program(Read(), edge_width=2 if backbone == "gine" else 0, backbone=backbone, norm="none" if backbone == "smooth" else "batch")
    assert export_program(made, tmp_path / "graphs.onnx", None, QUIET)["passed"]


@pytest.mark.full
@pytest.mark.parametrize("read", [read for read in VARIANTS if read.node_attention != "induced"], ids=str)
def test_every_readout_but_induced_attention_has_an_onnx_form(tmp_path: Path, read: Read) -> None:
    assert export_program(program(read), tmp_path / "graphs.onnx", None, QUIET)["passed"]


@pytest.mark.full
@pytest.mark.parametrize("by_node", [False, True])
def test_nodes_have_an_onnx_form(tmp_path: Path, by_node: bool) -> None:
    read = Read(score_pool="node", node_attention="none") if by_node else Read()
    model = NodeModel(3, 0, 4, Backbone(name="gcn", layers=3, width=8, norm="none"), read)
    facts = {"classes": ["a", "b", "c", "d"], "features": ["f"] * 3, "edge_width": 0, "kind": "classes", "licence": "none"}
    facts |= {"codes": [], "edge_codes": [], "edge_names": []}
    items = [item[:2] for item in graphs([4, 11])]
    made = NodeProgram(model, facts, items, by_node).eval()
    assert export_program(made, tmp_path / "nodes.onnx", None, QUIET)["passed"]
