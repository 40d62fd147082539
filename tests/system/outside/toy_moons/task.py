from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch, Stage


class Sides(Program):
    def __init__(self, model: nn.Module, facts: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.classes, self.licence = model, facts["classes"], facts["licence"]

    @torch.jit.export
    def prepare(self, item: Tensor) -> Tensor:
        return item

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"probs": self.model(x).softmax(-1)}

    def examples(self) -> list[Any]:
        return [torch.zeros(2)]

    def noise(self, generator: torch.Generator) -> list[Any]:
        return [torch.rand(2, generator=generator) for _ in range(4)]

    def metadata(self) -> dict[str, Any]:
        return {
            "app": "moons", "program": "sides", "labels": self.classes, "answer": [{"output": "probs", "as": "top"}], "batching": "stack",
            "input": "point", "preprocessing": {}, "licence": self.licence,
        }  # fmt: skip


class Moons(BaseTask):
    """On which moon is a point?

    Args:
        width: Units between a point and its answer.
        optim: The optimiser and its schedule.
    """

    app = "moons"

    def __init__(self, width: int = 16, optim: Optim = Optim()) -> None:  # noqa: B008 - jsonargparse shows its fields as keys
        super().__init__(optim)
        self.width = width

    def gather(self, data: Any) -> dict[str, Any]:
        return super().gather(data) | {"classes": data.classes}

    def make_model(self, facts: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Linear(2, self.width), nn.ReLU(), nn.Linear(self.width, 2))

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"accuracy": MulticlassAccuracy(2, average="micro")})

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        return (batch["x"],)

    def losses(self, batch: Batch, outputs: Tensor) -> dict[str, Tensor]:
        return {"ce": nn.functional.cross_entropy(outputs, batch["label"])}

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: Tensor, stage: Stage) -> None:
        metrics.update(outputs, batch["label"])

    def batch_size(self, batch: Batch) -> int:
        return len(batch["label"])

    def baselines(self, data: Any) -> dict[str, float]:
        return {"chance": 0.5}

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Sides(self.model, self.facts)
