"""Learning which nodes are linked."""

from collections.abc import Sequence
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch
from apps.histograph.link_metrics import LinkRanks
from apps.histograph.model import LinkModel, PickedOutput
from apps.histograph.node_task import WithinGraph
from apps.histograph.options import Backbone, Read
from core_attention.segments import Segments

__all__ = ["LinkPrediction"]


class LinkPrediction(WithinGraph):
    """Is there a link between two nodes?

    Args:
        backbone: The message passing, along edges that are not asked for.
        readout: How all its states become one vector a node.
        directed: Ask from u to v; otherwise an answer is the same from v to u.
        dropout: In the head.
        optim: The optimiser and its schedule.
    """

    level = "link"
    kind = "classes"
    model: LinkModel

    def __init__(
        self,
        backbone: Backbone = Backbone(name="gcn", layers=2, width=64, norm="none"),  # noqa: B008 - jsonargparse shows its fields as keys
        readout: Read = Read(),  # noqa: B008
        directed: bool = False,
        dropout: float = 0.0,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, optim)
        self.directed = directed

    def gather(self, data: Any) -> dict[str, Any]:
        facts = super().gather(data)
        if data.directed != self.directed:
            raise UserError(f"the data's links are {'' if data.directed else 'un'}directed; set model.directed={data.directed}")
        return facts

    def make_model(self, facts: dict[str, Any]) -> LinkModel:
        features = len(facts["features"])
        return LinkModel(features, facts["edge_width"], self.backbone, self.readout, directed=self.directed, dropout=self.dropout)

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"auc": BinaryAUROC(), "ap": BinaryAveragePrecision(), "mrr": LinkRanks()})

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        nodes: Any = batch["nodes"]  # ragged
        return (nodes.flat, batch["edge_index"], batch["edges"], Segments(*nodes[1:]), batch["links"])

    def losses(self, batch: Batch, outputs: PickedOutput) -> dict[str, Tensor]:
        return {"links": F.binary_cross_entropy_with_logits(outputs.out, batch["y"])}

    def score(self, metrics: MetricCollection, batch: Batch, out: Tensor) -> None:
        # As probabilities, because the metrics would guess, batch by batch, whether it is logits; in double, or far logits would tie.
        metrics.update(out.double().sigmoid(), batch["y"].long())

    def on_test_epoch_end(self) -> None:
        metrics = cast(MetricCollection, self.metrics["test"])
        for k, share in cast(LinkRanks, metrics["mrr"]).hits().items():
            self.log(f"test/hits_{k}", share)

    def baselines(self, data: Any) -> dict[str, float]:
        """Half of the pairs are links: guessing has an AUC of a half, and an average precision of a half."""
        return {"chance": 0.5}

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        raise UserError(
            "a model of links has no exported form, because an exported program is asked for no pairs of nodes; "
            "use its checkpoint: 'discern histograph test' or explain --ckpt"
        )
