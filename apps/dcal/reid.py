"""Re-identification as a task: identity and triplet losses for each branch, measured by ranking a gallery."""

from collections.abc import Sequence
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MetricCollection

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch, Stage
from apps.dcal.acceptance import acceptance
from apps.dcal.answering import Answer, answering, join
from apps.dcal.branch_task import BranchTask
from apps.dcal.embed import Embed
from apps.dcal.metrics import Vectors
from apps.dcal.model import DcalOutput
from apps.dcal.options import Glca, Pwca
from apps.dcal.ranking import Gathered, Protocol, Ranking, evaluate
from apps.dcal.triplet import batch_hard_triplet

__all__ = ["Reidentification"]


class Reidentification(BranchTask):
    """Who or what is it that another camera saw?

    Args:
        pwca: The pair branch, in training only; partners of another identity by default, because batches hold few identities.
        branches: Whose tokens are the vector; auto is both where there is a global-local branch.
        margin: Of the triplet loss; null takes its soft form.
        protocol: What the ranking leaves out: matches by the query's own camera (market), that whole camera (cross), or nothing.
    """

    binding = ("preprocess",)  # the identities of test are others than those of train
    identity = "identity"
    head = "neck"
    programs = ("embed",)

    def __init__(
        self,
        trunk: str = "vit_mini",
        trunk_options: dict[str, Any] | None = None,
        glca: Glca = Glca(blocks=0, ratio=0.3),  # noqa: B008 - jsonargparse shows its fields as keys
        pwca: Pwca = Pwca(blocks=0, pair_source="inter"),  # noqa: B008
        branches: Answer = "auto",
        loss_weights: Literal["learned", "fixed"] = "learned",
        loss_weight_lr: float = 1.0,
        label_smoothing: float = 0.0,
        margin: float | None = None,
        protocol: Protocol = "cross",
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        super().__init__(trunk, trunk_options, glca, pwca, branches, loss_weights, loss_weight_lr, label_smoothing, optim)
        self.margin = margin
        self.protocol: Protocol = protocol

    def gather(self, data: Any) -> dict[str, Any]:
        missing, ranked = data.without_camera()
        if missing and self.protocol != "same-camera-allowed":
            raise UserError(
                f"{missing} of the {ranked} pictures that are ranked have no camera, which protocol {self.protocol} needs: "
                "add their cameras, or give --model.protocol=same-camera-allowed"
            )
        return {
            **super().gather(data),
            "identities": len(data.classes),
            "preprocess": data.preprocess.settings(),
        }

    def classified(self, facts: dict[str, Any]) -> int:
        return facts["identities"]

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({})  # a ranking needs the whole split: see `measure` and `rank`

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.vectors = Vectors()

    def branch_loss(self, batch: Batch, logits_BK: Tensor, token_BD: Tensor) -> Tensor:
        entropy = F.cross_entropy(logits_BK, batch["identity"], label_smoothing=self.label_smoothing)
        return entropy + batch_hard_triplet(token_BD, batch["identity"], self.margin)

    def vector(self, outputs: DcalOutput) -> Tensor:
        """(B,D) or (B,2D), of length 1."""
        tokens = {"sa": outputs.sa_token, "glca": outputs.glca_token}
        return join([tokens[name] for name in answering(self.branches)])  # type: ignore[misc]

    def losses(self, batch: Batch, outputs: DcalOutput) -> dict[str, Tensor]:
        """None in evaluation: no classifier knows these identities, and triplets of whatever rows stand together measure nothing."""
        return super().losses(batch, outputs) if self.training else {}

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: DcalOutput, stage: Stage) -> None:
        self.vectors.update(self.vector(outputs), batch["identity"], batch["camera"], batch["is_query"])

    def on_validation_epoch_end(self) -> None:
        gathered, ranking = self._rank("val")
        self.log(
            "val/select", ranking.mean_ap, batch_size=len(gathered.identity)
        )  # one name for a recipe to rank by, whatever the protocol
        self.facts["calibration"] = acceptance(gathered)

    def on_test_epoch_end(self) -> None:
        self._rank("test")

    def _rank(self, stage: Stage) -> tuple[Gathered, Ranking]:
        gathered = self.vectors.compute()
        self.vectors.reset()
        ranking = evaluate(gathered, self.protocol)
        self.log_dict({f"{stage}/{name}": value for name, value in ranking.named().items()}, batch_size=len(gathered.identity))
        return gathered, ranking

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Embed(self.model, self.facts, examples, self.branches)
