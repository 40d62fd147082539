"""Learning from whole graphs: what all tasks share, and classes. Several targets are in targets_task.py."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from apps.base.classes import trivial_answers
from apps.base.draw import confusion
from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage
from apps.histograph.cache import check_histories
from apps.histograph.depth import depth_of, states_of
from apps.histograph.draw import MOST_CLASSES, class_layer_figure, depth_figure, layer_figure
from apps.histograph.leakcheck import leakcheck
from apps.histograph.metrics import LayerWeights
from apps.histograph.model import GraphOutput, Histograph
from apps.histograph.options import Backbone, Read
from apps.histograph.program import GraphProgram
from core_attention.segments import Segments
from datamodules.histograph.table import RECIPES
from kernels.history_attention import guard_hits

__all__ = ["GraphClassification", "GraphTask"]

TASKS = {
    ("graph", "classes"): "apps.histograph.task.GraphClassification",
    ("graph", "tasks"): "apps.histograph.targets_task.GraphTasks",
    ("graph", "numbers"): "apps.histograph.targets_task.GraphRegression",
    ("node", "classes"): "apps.histograph.node_task.NodeClassification",
    ("node", "numbers"): "apps.histograph.node_task.NodeRegression",
    ("link", "classes"): "apps.histograph.link_task.LinkPrediction",
}
CHECKED = 16  # graphs that every fit ends by checking


class GraphTask(BaseTask):
    """What all tasks share."""

    app = "histograph"
    level = "graph"  # what is learned: the data must be of the same
    binding = ("classes", "features", "edge_width", "kind")
    programs = ("graphs",)
    kind: str  # of the table's targets: classes, tasks or numbers
    model: Histograph

    def __init__(self, backbone: Backbone, readout: Read, dropout: float, optim: Optim) -> None:
        super().__init__(optim)
        self.backbone, self.readout, self.dropout = backbone, readout, dropout
        self.kept: str | None = None  # a file of the network's states, which training reads in its place

    def gather(self, data: Any) -> dict[str, Any]:
        if data.level != self.level:
            other = TASKS[data.level, data.table.kind]
            raise UserError(
                f"{type(data).__name__} gives {data.level}s and {type(self).__name__} learns {self.level}s; give --model {other}"
            )
        table = data.table
        if table.kind != self.kind:
            recipe = f"--config {RECIPES[table.kind]}, or " if self.level == "graph" else ""
            raise UserError(f"the labels of {table.source} are {table.kind}: give {recipe}--model {TASKS[self.level, table.kind]}")
        if data.history is not None and self.optim.freeze <= self.backbone.layers:
            raise UserError(
                f"data.history={data.history}: the states of a frozen network, but this one would train; take 'discern histograph finetune'"
            )
        self.kept = data.history
        return {
            **super().gather(data),
            "classes": list(data.classes),
            "features": list(table.features),
            "edge_width": table.edge_width,
            "edge_names": list(table.edge_names),
            "codes": list(table.codes),
            "edge_codes": list(table.edge_codes),
            "kind": self.kind,
        }

    def make_model(self, facts: dict[str, Any]) -> Histograph:
        return Histograph(
            len(facts["features"]),
            facts["edge_width"],
            len(facts["classes"]),
            self.backbone,
            self.readout,
            dropout=self.dropout,
            codes=facts["codes"],
            edge_codes=facts["edge_codes"],
        )

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.layer_weights = LayerWeights(self.backbone.states)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        nodes: Any = batch["nodes"]  # ragged
        kept = (batch["history"],) if "history" in batch else ()
        return (nodes.flat, batch["edge_index"], batch["edges"], Segments(*nodes[1:]), *kept)

    def batch_size(self, batch: Batch) -> int:
        return len(batch["y"])

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: GraphOutput, stage: Stage) -> None:
        self.score(metrics, batch, outputs.out)
        if stage == "test":
            self.layer_weights.update(outputs.layer_weights)

    def observe(self, outputs: GraphOutput) -> dict[str, Tensor]:
        """Of the layer weights, where they are learned: their entropy where they are a distribution; else the sum of those below zero, and
        the share of rows where the guard of `signed` acted."""
        weights_RL = outputs.layer_weights.detach().float()
        if self.readout.name == "jk-lstm" or self.readout.norm == "softmax":
            return {"layer_entropy": torch.special.entr(weights_RL).sum(1).mean()}
        if self.readout.name != "histo" or self.readout.norm == "uniform":
            return {}
        values = {"layer_below_zero": weights_RL.clamp(max=0).sum(1).mean()}
        return values | ({"guarded": guard_hits(weights_RL) / len(weights_RL)} if self.readout.norm == "signed" else {})

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        raise NotImplementedError

    def layers(self) -> list[list[str]]:
        groups = [[f"backbone.{part}.{i}." for part in ("layers", "norms")] for i in range(self.backbone.layers)]
        return [["backbone.embed."], *groups]

    def warm_started(self) -> None:
        check_histories(self.model, self.kept)

    def on_fit_start(self) -> None:  # a resume has its weights now
        check_histories(self.model, self.kept)

    def check_data(self, data: Any) -> None:
        super().check_data(data)
        check_histories(self.model, data.history)

    def on_train_end(self) -> None:
        """The answer for a graph must not depend on its batch: checked at the end of every training."""
        items = self.trainer.datamodule.examples(CHECKED)  # type: ignore[attr-defined]
        if len(items) > 1:
            leakcheck(self.model, items)

    def figures(self, data: Any) -> dict[str, bytes]:
        first = self.backbone.first_state
        mean, deviation = self.layer_weights.compute()
        drawn = {"layer_weights": layer_figure(mean, deviation, first, "nodes" if self.layers_by_node else "graphs")}
        energy, cosine = depth_of(states_of(self.model, data.seen(CHECKED)))
        return {**drawn, "depth": depth_figure(energy.numpy(), cosine.numpy(), np.array(mean), first)}

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return GraphProgram(self.model, self.facts, examples, self.layers_by_node)

    @property
    def layers_by_node(self) -> bool:
        return self.readout.name == "histo" and self.readout.score_pool == "node"


class GraphClassification(GraphTask):
    """Which class is the graph of?

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a graph.
        dropout: In the head.
        label_smoothing: Share of the target spread over all classes in training.
        optim: The optimiser and its schedule.
    """

    kind = "classes"

    def __init__(
        self,
        backbone: Backbone = Backbone(),  # noqa: B008 - jsonargparse shows its fields as keys
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, optim)
        self.label_smoothing = label_smoothing

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        classes = len(facts["classes"])
        return MetricCollection(
            {"accuracy": MulticlassAccuracy(classes, average="micro"), "balanced": MulticlassAccuracy(classes, average="macro")}
        )

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        # Weights by class are compared where each graph has its own: not of nodes, nor of the nodes of one graph.
        classes = facts["classes"] if self.level == "graph" and not self.layers_by_node else []
        self.class_weights = nn.ModuleList(LayerWeights(self.backbone.states) for _ in classes)
        self.confusion = MulticlassConfusionMatrix(len(facts["classes"]))

    def losses(self, batch: Batch, outputs: GraphOutput) -> dict[str, Tensor]:
        smoothing = self.label_smoothing if self.training else 0.0
        return {"classes": F.cross_entropy(outputs.out, batch["y"], label_smoothing=smoothing)}

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        metrics.update(out, batch["y"])

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: GraphOutput, stage: Stage) -> None:
        super().measure(metrics, batch, outputs, stage)
        if stage == "val":
            return
        self.confusion.update(outputs.out, batch["y"])
        if len(self.class_weights):
            for label in batch["y"].unique().tolist():
                cast(LayerWeights, self.class_weights[label]).update(outputs.layer_weights[batch["y"] == label])

    def baselines(self, data: Any) -> dict[str, float]:
        return trivial_answers(data.classes, data.counts())

    def figures(self, data: Any) -> dict[str, bytes]:
        drawn = super().figures(data) | {"confusion": confusion(self.confusion.compute().cpu().numpy(), self.facts["classes"])}
        if not len(self.class_weights):
            return drawn
        means = [cast(LayerWeights, metric).compute()[0] for metric in self.class_weights]
        by_class = {name: np.array(mean) for name, mean in zip(self.facts["classes"][:MOST_CLASSES], means, strict=False)}
        return drawn | {"layer_weights_by_class": class_layer_figure(by_class, self.backbone.first_state)}
