"""Learning from whole graphs: classes, or numbers."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix
from torchmetrics.regression import MeanAbsoluteError, R2Score

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch
from apps.histograph.cache import check_histories
from apps.histograph.draw import confusion_figure, layer_figure
from apps.histograph.leakcheck import leakcheck
from apps.histograph.metrics import LayerWeights
from apps.histograph.model import GraphOutput, Histograph
from apps.histograph.options import Backbone, Read
from apps.histograph.program import GraphProgram
from core_attention.segments import Segments

__all__ = ["GraphClassification", "GraphRegression"]

TASKS = {
    "graph": "apps.histograph.task.GraphClassification",
    "node": "apps.histograph.node_task.NodeClassification",
    "link": "apps.histograph.link_task.LinkPrediction",
}
CHECKED = 16  # graphs that every fit ends by checking


class GraphTask(BaseTask):
    """What both tasks share."""

    app = "histograph"
    level = "graph"  # what is learned: the data must be of the same
    binding = ("classes", "features", "edge_width", "regression")
    programs = ("graphs",)
    regression: bool
    model: Histograph

    def __init__(self, backbone: Backbone, readout: Read, dropout: float, optim: Optim) -> None:
        super().__init__(optim)
        self.backbone, self.readout, self.dropout = backbone, readout, dropout
        self.kept: str | None = None  # a file of the network's states, which training reads in its place

    def gather(self, data: Any) -> dict[str, Any]:
        if data.level != self.level:
            raise UserError(
                f"{type(data).__name__} gives {data.level}s and {type(self).__name__} learns {self.level}s; "
                f"give --model {TASKS[data.level]}"
            )
        if data.history is not None and self.optim.freeze <= self.backbone.layers:
            raise UserError(
                f"data.history={data.history}: the states of a frozen network, but this one would train; take 'discern histograph finetune'"
            )
        self.kept = data.history
        if data.table.regression != self.regression:
            found = "numbers" if data.table.regression else "classes"
            other = "GraphRegression" if data.table.regression else "GraphClassification"
            raise UserError(f"the labels of {data.table.source} are {found}: give --model apps.histograph.task.{other}")
        return {
            "classes": list(data.classes),
            "features": list(data.table.features),
            "edge_width": data.table.edge_width,
            "regression": data.table.regression,
            "licence": data.describe()["licence"],
        }

    def make_model(self, facts: dict[str, Any]) -> Histograph:
        return Histograph(
            len(facts["features"]), facts["edge_width"], len(facts["classes"]), self.backbone, self.readout, dropout=self.dropout
        )

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.layer_weights = LayerWeights(self.model.backbone.states)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        nodes: Any = batch["nodes"]  # ragged
        kept = (batch["history"],) if "history" in batch else ()
        return (nodes.flat, batch["edge_index"], batch["edges"], Segments(*nodes[1:]), *kept)

    def batch_size(self, batch: Batch) -> int:
        return len(batch["y"])

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: GraphOutput) -> None:
        self.score(metrics, batch, outputs.out)
        if self.trainer.testing:
            self.layer_weights.update(outputs.layer_weights)

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

    def figures(self) -> dict[str, bytes]:
        return {"layer_weights": layer_figure(*self.layer_weights.compute(), first=int(not self.backbone.include_input))}

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        by_node = self.readout.name == "histo" and self.readout.score_pool == "node"
        return GraphProgram(self.model, self.facts, examples, by_node)


class GraphClassification(GraphTask):
    """Which class is the graph of?

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a graph.
        dropout: In the head.
        label_smoothing: Share of the target spread over all classes in training.
        optim: The optimiser and its schedule.
    """

    regression = False

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
        self.confusion = MulticlassConfusionMatrix(len(facts["classes"]))

    def losses(self, batch: Batch, outputs: GraphOutput) -> dict[str, Tensor]:
        smoothing = self.label_smoothing if self.training else 0.0
        return {"classes": F.cross_entropy(outputs.out, batch["y"], label_smoothing=smoothing)}

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        metrics.update(out, batch["y"])
        if self.trainer.testing:
            self.confusion.update(out, batch["y"])

    def baselines(self, data: Any) -> dict[str, float]:
        """Guessing, and always naming the commonest class of training."""
        counts = data.counts()
        train, test = ([counts[split].get(name, 0) for name in data.classes] for split in ("train", "test"))
        return {"chance": 1 / len(test), "constant": test[train.index(max(train))] / sum(test)}

    def figures(self) -> dict[str, bytes]:
        return super().figures() | {"confusion": confusion_figure(self.confusion.compute().cpu().numpy(), self.facts["classes"])}


class GraphRegression(GraphTask):
    """What numbers does the graph have? A target that is NaN is unknown and left out.

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a graph; to count, take readout.pool=sum.
        dropout: In the head.
        optim: The optimiser and its schedule.
    """

    regression = True

    def __init__(
        self,
        backbone: Backbone = Backbone(),  # noqa: B008
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.0,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, optim)

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        targets = len(facts["classes"])
        return MetricCollection({"mae": MeanAbsoluteError(), "r2": R2Score(multioutput="uniform_average") if targets > 1 else R2Score()})

    def losses(self, batch: Batch, outputs: GraphOutput) -> dict[str, Tensor]:
        known = batch["y"].isfinite()
        off = (outputs.out - batch["y"].nan_to_num()).square() * known
        return {"targets": off.sum() / known.sum().clamp(min=1)}

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        known = batch["y"].isfinite().all(1)
        if bool(known.any()):
            metrics.update(out[known], batch["y"][known])

    def baselines(self, data: Any) -> dict[str, float]:
        """Always the training graphs' mean."""
        y = {split: torch.stack([data.table.graphs[row].y for row in data.rows[split]]) for split in ("train", "test")}
        return {"constant": float((y["test"] - y["train"].nanmean(0)).abs().nanmean())}
