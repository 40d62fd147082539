"""Several targets of a graph, with unknown labels, from a table to named answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.histograph.codes import MultiHot
from apps.histograph.options import Backbone
from apps.histograph.targets_task import GraphRegression, GraphTasks
from apps.histograph.task import GraphClassification
from datamodules.histograph.datamodule import TableData
from datamodules.histograph.graph import make_graph
from datamodules.histograph.table import SPLITS, GraphTable

NAN = float("nan")


class Made(TableData):
    """Random small graphs with these targets."""

    def __init__(self, y: Any, **more: Any) -> None:
        super().__init__(4, 0, 0)
        self.y, self.more = np.asarray(y, np.float32), more

    def make_table(self) -> tuple[GraphTable, dict[str, list[int]]]:
        rng = np.random.default_rng(0)
        graphs = [make_graph(rng.integers(0, 2, (5, 2)), [[0, 1, 2], [1, 2, 3]], y, rng.integers(0, 3, (3, 1))) for y in self.y]
        names = [f"t{i}" for i in range(self.y.shape[1])]
        table = GraphTable("made", "made", graphs, names, self.more.pop("kind"), ["a", "b"], **self.more)
        return table, {split: list(range(len(graphs))) for split in SPLITS}


def built(task: Any, data: TableData) -> Any:
    task.build(task.gather(data))
    data.setup()
    return task.eval()


def batch_of(task: Any, data: TableData) -> tuple[Any, Any]:
    batch = next(iter(data.val_dataloader()))
    return batch, task.model(*task.inputs(batch))


def test_unknown_labels_take_no_part_in_the_loss_of_tasks() -> None:
    data = Made([[1, NAN], [0, 1], [NAN, 0], [1, 1]], kind="tasks")
    task = built(GraphTasks(Backbone(layers=1, width=8)), data)
    batch, outputs = batch_of(task, data)
    known = ~batch["y"].isnan()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(outputs.out[known], batch["y"][known])
    torch.testing.assert_close(task.losses(batch, outputs)["tasks"], expected)
    task.losses(batch, outputs)["tasks"].backward()
    assert all(bool(p.grad.isfinite().all()) for p in task.model.parameters() if p.grad is not None)


def test_a_batch_without_any_known_label_has_a_loss_of_zero() -> None:
    data = Made([[NAN, NAN]] * 4, kind="tasks")
    task = built(GraphTasks(Backbone(layers=1, width=8)), data)
    assert task.losses(*batch_of(task, data))["tasks"].item() == 0.0


def test_regression_answers_in_the_units_of_its_targets_and_none_outweighs_another() -> None:
    y = np.array([[1000.0, 0.001], [3000.0, 0.003], [2000.0, NAN], [NAN, 0.002]])
    data = Made(y, kind="numbers")
    task = built(GraphRegression(Backbone(layers=1, width=8)), data)
    assert task.facts["mean"] == pytest.approx([2000.0, 0.002], rel=1e-5)
    batch, outputs = batch_of(task, data)
    assert (outputs.out[:, 0] - 2000).abs().max().item() < 3000
    scaled = Made((y - [[2000, 0.002]]) / [[816.4966, 0.0008164966]], kind="numbers")
    twin = built(GraphRegression(Backbone(layers=1, width=8)), scaled)
    twin.model.load_state_dict(task.model.state_dict())
    torch.testing.assert_close(task.losses(batch, outputs), twin.losses(*batch_of(twin, scaled)), rtol=1e-3, atol=1e-4)


def test_a_target_that_training_never_knows_is_refused() -> None:
    with pytest.raises(UserError, match="no training graph has a known t1"):
        GraphRegression().gather(Made([[1.5, NAN], [2, NAN]], kind="numbers"))


def test_each_kind_of_label_names_the_recipe_for_it() -> None:
    with pytest.raises(UserError, match=r"made are tasks: give --config molecules, or --model apps\.histograph\.targets_task\.GraphTasks"):
        GraphClassification().gather(Made([[1], [0]], kind="tasks"))
    with pytest.raises(UserError, match="are numbers: give --config numbers"):
        GraphTasks().gather(Made([[1.5], [0]], kind="numbers"))


def test_baselines_are_a_half_and_the_share_of_positives() -> None:
    data = Made([[1, NAN], [0, 1], [0, 0], [0, 1]], kind="tasks")
    assert GraphTasks().baselines(data) == pytest.approx({"chance": 0.5, "chance_ap": (1 / 4 + 2 / 3) / 2})


def test_a_kind_has_its_own_column_and_what_is_no_kind_is_not_a_number() -> None:
    hot = MultiHot([2, 3])(torch.tensor([[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [-1.0, 0.0], [0.5, 0.0]]))
    assert hot[:2].tolist() == [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]
    assert bool(hot[2:].isnan().all())


@pytest.mark.parametrize("kind", ["tasks", "numbers"])
def test_an_exported_program_of_several_targets_names_its_answers(tmp_path: Path, kind: str) -> None:
    from apps.base.export import export_program
    from apps.base.predict import load
    from apps.base.shell import Shell

    data = Made([[1, NAN], [0, 1], [0, 0], [0.0 if kind == "tasks" else 0.5, 1]], codes=[2, 2], edge_codes=[3], edge_names=["e"], kind=kind)
    task = built((GraphTasks if kind == "tasks" else GraphRegression)(Backbone("gine", layers=1, width=8)), data)
    export_program(task.program("graphs", data.examples(2)), tmp_path / "p.ts", None, Shell(quiet=True))
    (tmp_path / "g.json").write_text('{"x": [[1, 0], [0, 1]], "edges": [[0, 1]], "edge_features": [[2]]}')
    program = load(tmp_path / "p.ts", trust=True)
    answer = program(str(tmp_path / "g.json"))
    named = answer["probs" if kind == "tasks" else "out"]
    assert list(named) == ["t0", "t1"]
    if kind == "tasks":
        assert all(0 < value < 1 for value in named.values())
    for text, says in (
        ('{"x": [[1, 0]], "edges": []}', "0 features an edge; this program was trained with 1: give each edge e"),
        ('{"x": [[1, 2], [0, 0]], "edges": [[0, 1]], "edge_features": [[0]]}', r"node features are kinds, numbered from 0: \[2, 2\]"),
        ('{"x": [[1]], "edges": []}', "1 features a node; this program was trained with 2"),
    ):
        (tmp_path / "g.json").write_text(text)
        with pytest.raises(UserError, match=says):
            program(str(tmp_path / "g.json"))
