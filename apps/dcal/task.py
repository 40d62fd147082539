"""Fine-grained classification as a task: cross-entropy on the self-attention branch, accuracy by picture and by class."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError, MulticlassConfusionMatrix

from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import BaseTask, Batch
from apps.dcal.draw import confusion_figure, worst_pairs_figure
from apps.dcal.model import Dcal, DcalOutput
from apps.dcal.program import Classify
from core_attention.trunks import TRUNKS, Trunk, build_trunk

__all__ = ["Classification"]


class Classification(BaseTask):
    """Which of the classes is it?

    Args:
        trunk: Name of the trunk (vit_micro, vit_mini, vit_tiny, vit_small, vit_base, resnet18, resnet18_half, resnet50, hybrid_mini,
            hybrid_small, moat_micro, moat_tiny, duo_mini, duo_small).
        trunk_options: Options of the trunk, by its own names.
        label_smoothing: Share of the target spread over all classes in training.
        class_weights: "balanced" weighs a class by the inverse of its training count, "none" treats pictures alike.
        optim: The optimiser and its schedule.
    """

    app = "dcal"
    binding = ("classes", "preprocess")
    model: Dcal
    weights: Tensor

    def __init__(
        self,
        trunk: str = "vit_micro",
        trunk_options: dict[str, Any] | None = None,
        label_smoothing: float = 0.0,
        class_weights: Literal["none", "balanced"] = "none",
        optim: Optim = Optim(),  # noqa: B008 - jsonargparse shows its fields as keys
    ) -> None:
        super().__init__(optim)
        self.trunk = trunk
        self.trunk_options = trunk_options or {}
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights

    def gather(self, data: Any) -> dict[str, Any]:
        card = data.describe()
        return {
            "classes": list(data.classes),
            "counts": [card["counts"]["train"].get(name, 0) for name in data.classes],
            "preprocess": data.preprocess.settings(),
            "licence": card["licence"],
            "box_crop": getattr(data, "box_crop", False),  # not every set has boxes
        }

    def make_model(self, facts: dict[str, Any]) -> Dcal:
        # Positions are learned for one size of picture; a convolutional trunk takes any.
        size = {"image": tuple(facts["preprocess"]["size"])} if TRUNKS.get(self.trunk, (Trunk,))[0].fixed_size else {}
        return Dcal(build_trunk(self.trunk, **{**size, **self.trunk_options}), num_classes=len(facts["classes"]))

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        classes = len(facts["classes"])
        return MetricCollection(
            {
                "top1": MulticlassAccuracy(classes, average="micro"),
                "top5": MulticlassAccuracy(classes, average="micro", top_k=min(5, classes)),
                "per_class": MulticlassAccuracy(classes, average="macro"),
                "calibration_error": MulticlassCalibrationError(classes, n_bins=15),
            }
        )

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.confusion = MulticlassConfusionMatrix(len(facts["classes"]))
        counts = torch.tensor(facts["counts"], dtype=torch.float32).clamp(min=1)
        weights = counts.sum() / (len(counts) * counts) if self.class_weights == "balanced" else torch.ones_like(counts)
        self.register_buffer("weights", weights, persistent=False)

    def losses(self, batch: Batch, outputs: DcalOutput) -> dict[str, Tensor]:
        smoothing = self.label_smoothing if self.training else 0.0
        return {"sa": F.cross_entropy(outputs.sa_logits, batch["label"], self.weights, label_smoothing=smoothing)}

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: DcalOutput) -> None:
        probs = outputs.sa_logits.float().softmax(-1)
        metrics.update(probs, batch["label"])
        if self.trainer.testing:
            self.confusion.update(probs, batch["label"])

    def batch_size(self, batch: Batch) -> int:
        return len(batch["label"])

    def layers(self) -> Sequence[Sequence[str]]:
        return [[f"trunk.{name}" for name in group] for group in self.model.trunk.layer_groups()]

    def no_decay(self) -> Sequence[str]:
        return ["trunk.pos_embed", "trunk.cls_token", "trunk.reg_token", "trunk.scale_token", "trunk.scale_embed"]

    def baselines(self, data: Any) -> dict[str, float]:
        """Chance, and always naming the commonest class of the training split."""
        counts = data.describe()["counts"]
        train, test = ([counts[split].get(name, 0) for name in data.classes] for split in ("train", "test"))
        return {"chance": 1 / len(test), "constant": test[train.index(max(train))] / sum(test)}

    def figures(self) -> dict[str, bytes]:
        matrix = self.confusion.compute().cpu().numpy()
        return {
            "confusion": confusion_figure(matrix, self.facts["classes"]),
            "worst_pairs": worst_pairs_figure(matrix, self.facts["classes"]),
        }

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Classify(self.model, self.facts, examples)
