import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.histograph.metrics import LayerWeights
from apps.histograph.model import GraphOutput
from apps.histograph.options import Backbone, Read
from apps.histograph.targets_task import GraphRegression
from apps.histograph.task import GraphClassification
from datamodules.histograph.datamodule import Cycles, Motifs

SMALL = {"train": 24, "val": 6, "test": 6}


@pytest.mark.parametrize(("task", "data"), [(GraphClassification, Cycles), (GraphRegression, Motifs)])
def test_facts_out_of_a_checkpoint_equal_those_gathered_anew(tmp_path: Path, task: Any, data: Any) -> None:
    torch.save(task().gather(data(**SMALL)), tmp_path / "facts")
    anew = task().gather(data(**SMALL))
    assert torch.load(tmp_path / "facts", weights_only=True) == anew
    assert json.loads(json.dumps(anew)) == anew


def test_classes_and_numbers_are_not_confused() -> None:
    with pytest.raises(UserError, match="GraphRegression"):
        GraphClassification().gather(Motifs(**SMALL))
    with pytest.raises(UserError, match="GraphClassification"):
        GraphRegression().gather(Cycles(**SMALL))


def test_unknown_targets_take_no_part_in_the_loss() -> None:
    task, data = GraphRegression(), Motifs(**SMALL)
    task.build(task.gather(data))
    data.setup()
    batch = next(iter(data.val_dataloader()))
    outputs = task.model(*task.inputs(batch))
    batch["y"][0, 1] = torch.nan
    loss = task.losses(batch, outputs)["targets"]
    known = batch["y"].isfinite()
    torch.testing.assert_close(loss, (outputs.out - batch["y"])[known].square().mean())


def test_baselines_are_chance_and_the_commonest_class_of_training() -> None:
    assert GraphClassification().baselines(Cycles(**SMALL)) == {"chance": 1 / 6, "constant": 1 / 6}


def test_the_mean_of_layer_weights_is_over_all_graphs_not_over_batches() -> None:
    metric = LayerWeights(2)
    metric.update(torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    metric.update(torch.tensor([[-1.0, 2.0]]))
    mean, deviation = metric.compute()
    assert mean == [0.5, 0.5]
    assert deviation == pytest.approx([0.75**0.5, 0.75**0.5])


@pytest.mark.parametrize(
    ("read", "weights", "expected"),
    [
        (Read(norm="softmax"), [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], {"layer_entropy": math.log(2) / 2}),
        (Read(name="jk-lstm"), [[0.5, 0.5]], {"layer_entropy": math.log(2)}),
        (Read(), [[2.0, -1.0], [1.0, 0.0], [20.0, -20.0], [0.5, 0.5]], {"layer_below_zero": -21 / 4, "guarded": 0.25}),
        (Read(norm="l1"), [[0.5, -0.5]], {"layer_below_zero": -0.5}),
        (Read(norm="uniform"), [[0.5, 0.5]], {}),
        (Read(name="mean"), [[0.0, 1.0]], {}),
    ],
)
def test_what_training_logs_of_the_layer_weights_is_what_they_can_do(read: Read, weights: Any, expected: dict[str, float]) -> None:
    outputs = GraphOutput(torch.zeros(len(weights), 2), torch.tensor(weights), torch.zeros(0))
    found = GraphClassification(readout=read).observe(outputs)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


def test_an_option_of_histo_is_refused_for_another_readout() -> None:
    with pytest.raises(ValueError, match=r"readout\.norm belongs to readout\.name=histo"):
        Read(name="mean", norm="l1")
    with pytest.raises(ValueError, match="at least 1"):
        Backbone(layers=0)


def test_layers_can_be_frozen_from_the_input_on() -> None:
    task = GraphClassification(backbone=Backbone(layers=2), optim=Optim(freeze=2))
    task.build(task.gather(Cycles(**SMALL)))
    task.optim.optimizer(task.model, task.layers(), task.no_decay())
    frozen = {name.rpartition(".")[0] for name, parameter in task.model.named_parameters() if not parameter.requires_grad}
    assert "backbone.embed" in frozen
    assert "backbone.norms.0" in frozen
    assert not any(name.startswith(("backbone.layers.1", "readout", "head")) for name in frozen)
