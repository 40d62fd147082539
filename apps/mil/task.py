"""Classification of bags as a task: the bag's loss, the tie to the teacher, AUC and what follows from a threshold set in validation."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection

from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch
from apps.mil import scores
from apps.mil.bag_task import BagTask, bag_of, segments_of
from apps.mil.losses import bag_loss, clusters
from apps.mil.metrics import OfSplit
from apps.mil.mhim import MhimOutput
from apps.mil.options import Consistency, Host, Mask, Recycle, Teacher
from apps.mil.program import Bags
from apps.mil.ranks import rank_within
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
        cluster_weight: Of the loss on host.clusters.
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
        self.found = MeanMetric()
        counts = torch.tensor(facts["counts"], dtype=torch.float32).clamp(min=1)
        balanced = counts.sum() / (len(counts) * counts) if self.class_weights == "balanced" else torch.ones_like(counts)
        self.register_buffer("class_loss", balanced, persistent=False)

    @property
    def threshold(self) -> float:
        return float(self.facts.get("threshold", 0.5))

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

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: MhimOutput) -> None:
        probs, labels = outputs.student.probs(), batch["label"]
        metrics.update(probs, labels)
        stage = "test" if self.trainer.testing else "val"
        if stage == "val":
            self.split.update(probs, labels)
            self.cut.update(probs, labels)
        else:
            self.tested.update(batch["index"], probs)
            self.localise(batch, outputs.student, labels)
        if stage == "test" and "hard" in batch:
            self.hard.update(probs[batch["hard"]], labels[batch["hard"]])
            self.log("test/auc_hard", self.hard, on_epoch=True, batch_size=len(labels))
        if "kind" in batch and outputs.student.attention is not None:  # which instances are hard is known of made bags only
            self.found.update(*hard_recall(outputs.student.attention.mean(1), batch["kind"], segments_of(batch).offsets))
            self.log(f"{stage}/hard_recall", self.found, on_epoch=True, batch_size=len(labels))

    def told(self, data: Any, index: int, values: Tensor) -> dict[str, Any]:
        names = self.facts["classes"]
        decided = int(scores.decide(values.unsqueeze(0), self.threshold))
        # nine digits give the same float32
        probs = {f"p_{name}": f"{value:.9g}" for name, value in zip(names, values.tolist(), strict=True)}
        return {"label": names[int(data.known["label"][index])], "decision": names[decided], **probs}

    def on_validation_epoch_end(self) -> None:
        self.log("val/select", self.select(float(self.split.compute())))
        self.split.reset()
        if len(self.facts["classes"]) == 2:
            self.facts["threshold"] = float(self.cut.compute())
        self.cut.reset()

    def baselines(self, data: Any) -> dict[str, float]:
        """Chance, always naming the commonest class of the training split, and trees on bag statistics."""
        from apps.mil.stats import tree_probabilities

        counts = data.counts()
        train, test = ([counts[split].get(name, 0) for name in data.classes] for split in ("train", "test"))
        probs, labels = (torch.from_numpy(array) for array in tree_probabilities(data))
        found = {"chance": 0.5, "constant": test[train.index(max(train))] / sum(test), "stats_auc": float(scores.macro_auc(probs, labels))}
        if "hard" in data.known:
            hard = torch.from_numpy(data.known["hard"][data.parts.test])
            found["stats_auc_hard"] = float(scores.auc(probs[hard, 1], labels[hard] == 1))
        return found

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Bags(self.model, self.facts, examples)


def hard_recall(attention_T: Tensor, kind_T: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """(share of a bag's hard instances among as many most attended ones as it has positives, weight) of the bags that have some."""
    segment_T = segment_of(attention_T, offsets)
    many_S = torch.zeros_like(offsets[1:]).index_add(0, segment_T, (kind_T >= 2).long())
    hard_S = torch.zeros_like(many_S).index_add(0, segment_T, (kind_T == 3).long())
    top_T = rank_within(segment_T, offsets, attention_T) < many_S[segment_T]
    hit_S = torch.zeros_like(many_S).index_add(0, segment_T, (top_T & (kind_T == 3)).long())
    return hit_S / hard_S.clamp(min=1), (hard_S > 0).float()
