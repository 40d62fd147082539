"""Learning the nodes of a graph: their classes, or numbers."""

from collections.abc import Sequence
from typing import Any, Literal

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch
from apps.histograph.model import NodeModel
from apps.histograph.node_program import NodeProgram
from apps.histograph.options import Backbone, Read
from apps.histograph.targets_task import GraphRegression
from apps.histograph.task import GraphClassification, GraphTask
from core_attention.segments import Segments

__all__ = ["MOST_NODES", "NodeClassification", "NodeRegression", "WithinGraph", "check_size"]

MOST_NODES = 8192  # that may all attend to each other: 256 MiB a head


def check_size(readout: Read, largest: int) -> None:
    if readout.name == "histo" and readout.node_attention == "full" and largest > MOST_NODES:
        raise UserError(
            f"every node would attend to every one of {largest:,}; set readout.node_attention=induced or none, "
            "or data.fanout=[10,10] to draw surroundings"
        )


class WithinGraph(GraphTask):
    """What tasks within one graph share, of nodes and of links."""

    def gather(self, data: Any) -> dict[str, Any]:
        facts = super().gather(data)
        check_size(self.readout, data.largest)
        return facts

    def on_train_end(self) -> None:
        """Nodes of one graph are meant to depend on each other: there is no leak to look for."""


class NodeTask(WithinGraph):
    """What tasks of nodes share."""

    level = "node"
    programs = ("nodes",)

    def make_model(self, facts: dict[str, Any]) -> NodeModel:
        return NodeModel(
            len(facts["features"]), facts["edge_width"], len(facts["classes"]), self.backbone, self.readout, dropout=self.dropout
        )

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        nodes: Any = batch["nodes"]  # ragged
        kept = (batch["history"],) if "history" in batch else ()
        return (nodes.flat, batch["edge_index"], batch["edges"], Segments(*nodes[1:]), batch["picked"], *kept)

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return NodeProgram(self.model, self.facts, examples, self.layers_by_node)


class NodeClassification(GraphClassification, NodeTask):
    """Which class is each node of?

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a node.
        dropout: In the head.
        label_smoothing: Share of the target spread over all classes in training.
        optim: The optimiser and its schedule.
    """

    def __init__(
        self,
        backbone: Backbone = Backbone(name="gcn", layers=2, width=64, norm="none"),  # noqa: B008 - jsonargparse shows its fields as keys
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, label_smoothing, optim)


class NodeRegression(GraphRegression, NodeTask):
    """What numbers does each node have?

    Args:
        backbone: The message passing.
        readout: How all its states become one vector a node.
        dropout: In the head.
        loss: squared, or absolute (less moved by outliers); of targets scaled to deviation 1, so that none outweighs the others.
        optim: The optimiser and its schedule.
    """

    def __init__(
        self,
        backbone: Backbone = Backbone(name="gcn", layers=2, width=64, norm="none"),  # noqa: B008
        readout: Read = Read(),  # noqa: B008
        dropout: float = 0.0,
        loss: Literal["squared", "absolute"] = "squared",
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(backbone, readout, dropout, loss, optim)
