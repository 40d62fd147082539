"""Fine-grained classification as a task: a loss for each branch, accuracy by picture and by class, and how sure is sure."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from apps.base.classes import balanced_weights, trivial_answers
from apps.base.draw import confusion
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch, Stage
from apps.dcal.answering import Answer, answering
from apps.dcal.branch_task import BranchTask
from apps.dcal.calibration import fit_temperature, mix, threshold
from apps.dcal.draw import confused_figure, worst_pairs_figure
from apps.dcal.metrics import Calibration, Logits
from apps.dcal.model import DcalOutput
from apps.dcal.options import Glca, Pwca
from apps.dcal.program import Classify

__all__ = ["Classification"]


class Classification(BranchTask):
    """Which of the classes is it?

    Args:
        pwca: The pair branch, in training only.
        branches: Whose probabilities answer; auto is both where there is a global-local branch.
        class_weights: "balanced" weighs a class by the inverse of its training count, "none" treats pictures alike.
    """

    binding = ("classes", "preprocess")
    identity = "label"
    programs = ("classify",)
    weights: Tensor

    def __init__(
        self,
        trunk: str = "vit_micro",
        trunk_options: dict[str, Any] | None = None,
        glca: Glca = Glca(blocks=0),  # noqa: B008 - jsonargparse shows its fields as keys
        pwca: Pwca = Pwca(blocks=0),  # noqa: B008
        branches: Answer = "auto",
        loss_weights: Literal["learned", "fixed"] = "learned",
        loss_weight_lr: float = 1.0,
        label_smoothing: float = 0.0,
        class_weights: Literal["none", "balanced"] = "none",
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(trunk, trunk_options, glca, pwca, branches, loss_weights, loss_weight_lr, label_smoothing, optim)
        self.class_weights = class_weights

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def gather(self, data: Any) -> dict[str, Any]:
        counts = data.counts()["train"]
        return {
            **super().gather(data),
            "classes": list(data.classes),
            "counts": [counts.get(name, 0) for name in data.classes],
            "preprocess": data.preprocess.settings(),
            "box_crop": data.box_crop,
        }

    def classified(self, facts: dict[str, Any]) -> int:
        return len(facts["classes"])

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        classes = len(facts["classes"])
        return MetricCollection(
            {
                "top1": MulticlassAccuracy(classes, average="micro"),
                "top5": MulticlassAccuracy(classes, average="micro", top_k=min(5, classes)),
                "per_class": MulticlassAccuracy(classes, average="macro"),
                "calibration_error": Calibration(),
            }
        )

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.confusion = MulticlassConfusionMatrix(len(facts["classes"]))
        self.hits = MeanMetric()
        self.validation = Logits(answering(self.branches))
        self.answered: list[tuple[Tensor, Tensor, Tensor]] = []  # (labels, answers, index) of this process's test batches
        weights = balanced_weights(facts["counts"]) if self.class_weights == "balanced" else torch.ones(len(facts["counts"]))
        self.register_buffer("weights", weights, persistent=False)

    # --- training --------------------------------------------------------------------------------------------------

    def branch_loss(self, batch: Batch, logits_BK: Tensor, token_BD: Tensor) -> Tensor:
        return F.cross_entropy(logits_BK, batch["label"], self.weights, label_smoothing=self.label_smoothing if self.training else 0.0)

    # --- measuring -------------------------------------------------------------------------------------------------

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: DcalOutput, stage: Stage) -> None:
        every = {"sa": outputs.sa_logits.unsqueeze(0), "glca": outputs.glca_logits}
        logits: dict[str, Tensor] = {name: every[name] for name in answering(self.branches)}  # type: ignore[misc]
        # Validation fits the temperatures, so it is measured without them.
        probs = mix(logits, self.facts["calibration"]["temperature"] if stage == "test" and "calibration" in self.facts else {})
        metrics.update(probs, batch["label"])
        if stage == "test":
            self.confusion.update(probs, batch["label"])
            self.answered.append((batch["label"].cpu(), probs.argmax(-1).cpu(), batch["index"].cpu()))
        else:
            self.validation.update(logits, batch["label"])
        if "cell" in batch and outputs.selected is not None:  # where the class mark lies is known of made pictures only
            self.hits.update((outputs.selected == batch["cell"][:, None]).any(1).float())
            self.log(f"{stage}/cell_hit", self.hits, on_epoch=True, batch_size=len(batch["label"]))

    def on_test_epoch_start(self) -> None:
        self.answered = []

    def on_validation_epoch_end(self) -> None:
        logits, labels = self.validation.compute()
        self.validation.reset()
        temperature = {name: fit_temperature(value, labels) for name, value in logits.items()}
        self.facts["calibration"] = {"temperature": temperature, "threshold": threshold(mix(logits, temperature))}

    def baselines(self, data: Any) -> dict[str, float]:
        return trivial_answers(data.classes, data.counts())

    def figures(self, data: Any) -> dict[str, bytes]:
        matrix, classes = self.confusion.compute().cpu().numpy(), self.facts["classes"]
        drawn = {"confusion": confusion(matrix, classes), "worst_pairs": worst_pairs_figure(matrix, classes)}
        if self.trainer.world_size == 1 and (pictures := self._confused(data)) is not None:
            drawn["confused"] = pictures
        return drawn

    def _confused(self, data: Any) -> bytes | None:
        """The worst pairs in pictures; of several processes none has all answers."""
        labels, answers, index = (torch.cat(part).numpy() for part in zip(*self.answered, strict=True))
        return confused_figure(labels, answers, self.facts["classes"], lambda place: data.picture(int(index[place])))

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Classify(self.model, self.facts, examples, self.branches)
