"""Learning several targets of a graph: yes/no questions, or numbers (of nodes, too). A target that is NaN is unknown and takes no part.

Shapes: S graphs, T targets.
"""

from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.ranking import average_precision
from apps.base.task import Batch
from apps.histograph.model import GraphOutput, Histograph
from apps.histograph.options import Backbone, Read
from apps.histograph.target_metrics import AveragePrecision, MeanError, RocAuc, RootError, Variance
from apps.histograph.task import GraphTask

__all__ = ["GraphRegression", "GraphTasks"]


class TargetsTask(GraphTask):
    """What both share: metrics of each target beside their mean."""

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        metrics.update(out, batch["y"])

    def on_test_epoch_end(self) -> None:
        """Of each target, where there are several."""
        if len(self.facts["classes"]) > 1:
            for name, metric in self.metrics["test"].items(keep_base=True):  # type: ignore[operator]
                for target, value in metric.each().items():
                    if value == value:  # one class only, or nothing known: no figure
                        self.log(f"test/{name}/{target}", value)


class GraphTasks(TargetsTask):
    """Several yes/no questions about a graph, such as assays of a molecule.

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a graph.
        dropout: In the head.
        optim: The optimiser and its schedule.
    """

    kind = "tasks"

    def __init__(
        self,
        backbone: Backbone = Backbone(),  # noqa: B008 - jsonargparse shows its fields as keys
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.5,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, optim)

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"auc": RocAuc(facts["classes"]), "ap": AveragePrecision(facts["classes"])})

    def losses(self, batch: Batch, outputs: GraphOutput) -> dict[str, Tensor]:
        known_ST = ~batch["y"].isnan()
        each_ST = F.binary_cross_entropy_with_logits(outputs.out, batch["y"].nan_to_num(), reduction="none") * known_ST
        return {"tasks": each_ST.sum() / known_ST.sum().clamp(min=1)}

    def baselines(self, data: Any) -> dict[str, float]:
        """Scores without knowledge: ROC-AUC is a half, and AP each task's share of positives."""
        y_ST = data.targets("test")
        known = [column_S[~column_S.isnan()] for column_S in y_ST.T]
        shares_T = torch.stack([average_precision(torch.zeros_like(y_S), y_S > 0.5) for y_S in known])
        return {"chance": 0.5, "chance_ap": float(shares_T.nanmean().nan_to_num())}


class Rescale(nn.Module):
    """The head's outputs in the units of the targets: it learns numbers of mean 0 and deviation 1, whatever the targets are measured in."""

    mean_T: Tensor
    deviation_T: Tensor

    def __init__(self, mean: list[float], deviation: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean_T", torch.tensor(mean), persistent=False)
        self.register_buffer("deviation_T", torch.tensor(deviation), persistent=False)

    def forward(self, x_ST: Tensor) -> Tensor:
        return x_ST * self.deviation_T + self.mean_T


class GraphRegression(TargetsTask):
    """What numbers does the graph have?

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a graph; to count, take readout.pool=sum.
        dropout: In the head.
        loss: squared, or absolute (less moved by outliers); of targets scaled to deviation 1, so that none outweighs the others.
        optim: The optimiser and its schedule.
    """

    kind = "numbers"

    def __init__(
        self,
        backbone: Backbone = Backbone(),  # noqa: B008
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.0,
        loss: Literal["squared", "absolute"] = "squared",
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, optim)
        self.loss = loss

    def gather(self, data: Any) -> dict[str, Any]:
        facts = super().gather(data)
        y_ST = data.targets("train")
        mean_T = y_ST.double().nanmean(0)
        deviation_T = (y_ST.double() - mean_T).square().nanmean(0).sqrt()
        if bool(mean_T.isnan().any()):
            name = facts["classes"][int(mean_T.isnan().nonzero()[0])]
            raise UserError(f"{data.table.source}: no training {self.level} has a known {name}; leave it out")
        deviation_T = torch.where(deviation_T > 0, deviation_T, 1.0)
        return facts | {"mean": mean_T.tolist(), "deviation": deviation_T.tolist()}

    def make_model(self, facts: dict[str, Any]) -> Histograph:
        model = super().make_model(facts)
        model.head.append(Rescale(facts["mean"], facts["deviation"]))
        return model

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        names = facts["classes"]
        return MetricCollection({"mae": MeanError(names), "rmse": RootError(names), "r2": Variance(names)})

    def losses(self, batch: Batch, outputs: GraphOutput) -> dict[str, Tensor]:
        known_ST = ~batch["y"].isnan()
        scale = cast(Rescale, self.model.head[-1])
        off_ST = (outputs.out - batch["y"].nan_to_num()) / scale.deviation_T
        each_ST = (off_ST.square() if self.loss == "squared" else off_ST.abs()) * known_ST
        return {"targets": each_ST.sum() / known_ST.sum().clamp(min=1)}

    def baselines(self, data: Any) -> dict[str, float]:
        """Always the mean of training: its mean absolute error."""
        y_ST = data.targets("test")
        return {"constant": float((y_ST - torch.tensor(self.facts["mean"])).abs().nanmean(0).nanmean())}
