"""Classification of bags as a task: the bag's loss, the tie to the teacher, AUC and what follows from a threshold set in validation."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from apps.base.classes import balanced_weights, trivial_answers
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.ranking import auc
from apps.base.task import Batch, Stage
from apps.mil import scores
from apps.mil.bag_task import BagTask, bag_of, segments_of
from apps.mil.draw_answers import answers_figure
from apps.mil.hosts import BagOutput
from apps.mil.losses import bag_loss, clusters
from apps.mil.metrics import OfSplit
from apps.mil.mhim import MhimOutput
from apps.mil.options import Consistency, Host, Mask, Recycle, Teacher
from apps.mil.program import Bags
from kernels.ragged import segment_of

__all__ = ["Classification"]


class Classification(BagTask):
    """Which of the classes is the bag? Of two classes the second one is looked for.

    Args:
        host: The model of a bag.
        mask: What the student is not shown.
        consistency: How it is tied to the teacher.
        teacher: Where the teacher comes from.
        recycle: Summaries in place of some instances.
        weights: Whose answers are evaluated and exported.
        class_weights: "balanced" weighs a class by the inverse of its training count.
        cluster_weight: Of the loss on host.clusters, where that is set.
        optim: The optimiser and its schedule.
    """

    programs = ("bags",)
    class_loss: Tensor

    def __init__(
        self,
        host: Host = Host(),  # noqa: B008 - jsonargparse shows its fields as keys
        mask: Mask = Mask(),  # noqa: B008
        consistency: Consistency = Consistency(),  # noqa: B008
        teacher: Teacher = Teacher(),  # noqa: B008
        recycle: Recycle = Recycle(),  # noqa: B008
        weights: Literal["student", "teacher"] = "student",
        class_weights: Literal["none", "balanced"] = "none",
        cluster_weight: float = 0.3,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        if cluster_weight != 0.3 and not host.clusters:
            raise ValueError(
                f"cluster_weight={cluster_weight}: there is no such loss with host.clusters=0; set that, or leave cluster_weight out"
            )
        if cluster_weight <= 0:
            raise ValueError(f"cluster_weight={cluster_weight}: is above 0; to leave the loss out, set host.clusters=0")
        super().__init__(host, mask, consistency, teacher, recycle, weights, optim)
        self.class_weights, self.cluster_weight = class_weights, cluster_weight

    def gather(self, data: Any) -> dict[str, Any]:
        counts = data.counts()["train"]
        return super().gather(data) | {"counts": [counts.get(name, 0) for name in data.classes]}

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        classes = len(facts["classes"])

        def decided(function: Any) -> OfSplit:
            return OfSplit(lambda probs, labels: function(scores.decide(probs, self.threshold), labels))

        found: dict[str, Metric | MetricCollection] = {
            "auc": OfSplit(scores.macro_auc),
            "average_precision": OfSplit(scores.macro_average_precision),
            "accuracy": decided(lambda said, labels: (said == labels).double().mean()),
            "balanced_accuracy": decided(scores.balanced_accuracy),
            "precision": decided(partial(scores.precision, classes=classes)),
            "recall": decided(partial(scores.recall, classes=classes)),
            "f1": decided(partial(scores.f1, classes=classes)),
            "brier": OfSplit(scores.brier),
            "ece": OfSplit(scores.calibration_error),
        }
        if classes > 2:
            found["kappa"] = decided(partial(scores.kappa, classes=classes))
        return MetricCollection(found, compute_groups=False)  # not grouped: the first evaluation would compare lists of tensors

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.split = OfSplit(scores.macro_auc)
        self.cut = OfSplit(lambda probs, labels: scores.youden(probs[:, 1], labels == 1))
        self.hard = OfSplit(scores.macro_auc)
        weights = balanced_weights(facts["counts"]) if self.class_weights == "balanced" else torch.ones(len(facts["counts"]))
        self.register_buffer("class_loss", weights, persistent=False)

    @property
    def threshold(self) -> float:
        return scores.threshold_of(self.facts)

    # --- training --------------------------------------------------------------------------------------------------

    def losses(self, batch: Batch, outputs: MhimOutput) -> dict[str, Tensor]:
        losses = {"bag": bag_loss(outputs.student, batch["label"], self.class_loss), **self.tied(outputs)}
        if outputs.whole is not None:
            losses["whole"] = self.mask.whole_bag_weight * bag_loss(outputs.whole, batch["label"], self.class_loss)
        if self.training and self.host.clusters:
            seen = self.model.student(bag_of(batch).flat, segments_of(batch), detail=True)
            each = clusters(seen.attention, seen.instance, segments_of(batch), batch["label"], self.host.clusters)
            losses["clusters"] = self.cluster_weight * each
        return losses

    # --- measuring -------------------------------------------------------------------------------------------------

    def judged(self, output: BagOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        return output.probs(), batch["label"]

    def score(self, metrics: MetricCollection, batch: Batch, answer: Tensor, known: Tensor, stage: Stage) -> None:
        super().score(metrics, batch, answer, known, stage)
        if stage == "val":
            self.cut.update(answer, known)
        elif "hard" in batch:
            self.hard.update(answer[batch["hard"]], known[batch["hard"]])
            self.log("test/auc_hard", self.hard, on_epoch=True, batch_size=len(known))

    def pointing(self, batch: Batch, output: BagOutput) -> dict[str, Tensor]:
        """And what an instance says for its bag's class."""
        found = super().pointing(batch, output)
        if output.instance is not None:
            own_T1 = batch["label"][segment_of(output.instance[:, 0], segments_of(batch).offsets)].unsqueeze(1)
            found["instance"] = output.instance.softmax(1).gather(1, own_T1).squeeze(1)
        return found

    def told(self, known: dict[str, Any], values: Tensor) -> dict[str, Any]:
        names = self.facts["classes"]
        decided = int(scores.decide(values.unsqueeze(0), self.threshold))
        # nine digits give the same float32
        probs = {f"p_{name}": f"{value:.9g}" for name, value in zip(names, values.tolist(), strict=True)}
        return {"label": names[int(known["label"])], "decision": names[decided], **probs}

    def drawn(self, values_NK: np.ndarray, known: dict[str, np.ndarray]) -> bytes:
        return answers_figure(values_NK, known["label"].astype(np.int64), self.facts["classes"], self.threshold)

    def on_validation_epoch_end(self) -> None:
        self.log("val/select", self.select(float(self.split.compute())))
        self.split.reset()
        if len(self.facts["classes"]) == 2:
            self.facts["threshold"] = float(self.cut.compute())
        self.cut.reset()

    def baselines(self, data: Any) -> dict[str, float]:
        """Chance of an AUC, always naming the commonest class of the training split, and trees on bag statistics."""
        from apps.mil.stats import tree_probabilities

        probs, labels = (torch.from_numpy(array) for array in tree_probabilities(data))
        found = trivial_answers(data.classes, data.counts()) | {"chance": 0.5, "stats_auc": float(scores.macro_auc(probs, labels))}
        if "hard" in (known := data.known_of("test")):
            hard = torch.from_numpy(known["hard"])
            found["stats_auc_hard"] = float(auc(probs[hard, 1], labels[hard] == 1))
        return found

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Bags(self.model, self.facts, examples)
