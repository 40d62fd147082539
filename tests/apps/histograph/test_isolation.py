"""The answer for a graph is a property of the graph: the gate for everything else."""

import pytest
import torch

from apps.histograph.errors import BatchLeakError, MixingError
from apps.histograph.leakcheck import batch_of, leakcheck
from apps.histograph.mixing import allow_batch_mixing
from apps.histograph.model import Histograph
from apps.histograph.options import Backbone, Read
from apps.histograph.readout import HistoReadout
from apps.histograph.readouts import READOUTS
from tests.apps.histograph.graphs import graphs

HISTO = [
    Read(norm=norm, node_attention=attention, pool=pool, dropout=0.0)  # type: ignore[arg-type]
    for norm, attention, pool in (
        ("signed", "full", "mean"), ("l1", "full", "sum"), ("softmax", "induced", "max"), ("uniform", "none", "mean"),
    )
]  # fmt: skip
OTHERS = [Read(name=name) for name in READOUTS if name != "histo"]  # type: ignore[arg-type]
VARIANTS = [*HISTO, Read(score_pool="node"), Read(project="per_layer", value=True), Read(layer_norm=True), *OTHERS]
BACKBONES = ("gin", "gine", "gcn", "sage", "gat", "gcnii", "smooth")


def model(readout: Read = HISTO[0], backbone: str = "gin") -> Histograph:
    torch.manual_seed(0)
    norm = "none" if backbone == "smooth" else "batch"
    return Histograph(3, 2, 4, Backbone(name=backbone, layers=3, width=8, norm=norm), readout).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("readout", VARIANTS, ids=lambda read: f"{read.name}-{read.norm}-{read.node_attention}-{read.pool}")
def test_no_readout_mixes_graphs(readout: Read) -> None:
    report = leakcheck(model(readout), graphs([5, 9, 1, 30, 7], edge_features=2))
    assert report.graphs == 5


@pytest.mark.parametrize("backbone", BACKBONES)
def test_no_backbone_mixes_graphs(backbone: str) -> None:
    leakcheck(model(backbone=backbone), graphs([5, 9, 1, 12], edge_features=2))


@pytest.mark.parametrize("readout", VARIANTS, ids=lambda read: f"{read.name}-{read.norm}-{read.node_attention}-{read.pool}")
def test_the_gradient_from_one_graph_to_another_is_exactly_zero(readout: Read) -> None:
    x, *rest = batch_of(graphs([5, 9, 4], edge_features=2))
    x.requires_grad_()
    model(readout)(x, *rest).out[1].sum().backward()
    assert not x.grad[:5].any()
    assert x.grad[5:14].any()
    assert not x.grad[14:].any()


def mixed() -> Histograph:
    made = model()
    made.readout = HistoReadout(8, 4, heads=2, mix_batch=True)
    return made.eval()


def test_the_check_finds_a_readout_that_mixes_and_names_it() -> None:
    with allow_batch_mixing("the test of the test"), pytest.raises(BatchLeakError, match=r"first in readout\.layers"):
        leakcheck(mixed(), graphs([5, 9, 4], edge_features=2))


def test_mixing_cannot_be_had_by_accident() -> None:
    with pytest.raises(MixingError, match="allow_batch_mixing"):
        HistoReadout(8, 4, mix_batch=True)
    with pytest.raises(MixingError, match="say why"), allow_batch_mixing(" "):
        pass
    with allow_batch_mixing("the test of the test"):
        made = mixed()
        made(*batch_of(graphs([5, 9], edge_features=2)))
    with pytest.raises(MixingError):
        made(*batch_of(graphs([5, 9], edge_features=2)))


def test_a_batch_norm_left_in_training_would_be_found() -> None:
    class Forgotten(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model()

        def train(self, mode: bool = True) -> "Forgotten":
            self.inner.train(True)
            return self

        def forward(self, *args):
            return self.inner(*args)

    forgotten = Forgotten()
    forgotten.inner.head[2].p = 0.0
    with pytest.raises(BatchLeakError, match="backbone"):
        leakcheck(forgotten, graphs([5, 9, 12], edge_features=2))
