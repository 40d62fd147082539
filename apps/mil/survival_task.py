"""Survival of bags as a task: when does it happen, of bags some of which were lost from sight before it did?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.program import Program
from apps.base.task import Batch
from apps.mil.bag_task import BagTask
from apps.mil.draw_answers import survival_figure
from apps.mil.hosts import BagOutput
from apps.mil.metrics import OfSplit
from apps.mil.mhim import MhimOutput
from apps.mil.options import Consistency, Host, Mask, Recycle, Teacher
from apps.mil.risk_program import Risks, hazards_of, risk_of
from apps.mil.scores import c_index
from apps.mil.survival import bin_edges, bin_of, cox_loss, hazard_loss

__all__ = ["Survival"]


class Survival(BagTask):
    """How soon does the event come? Judged by the C-index: how often the bag that had it earlier has the higher risk.

    Args:
        host: The model of a bag.
        mask: What the student is not shown.
        consistency: How it is tied to the teacher.
        teacher: Where the teacher comes from.
        recycle: Summaries in place of some instances.
        weights: Whose answers are evaluated and exported.
        loss: Hazards of bins of time, or Cox's partial likelihood within each batch (take batches of 16 and more).
        bins: Of loss=hazards, cut at quantiles of the training bags' event times.
        optim: The optimiser and its schedule.
    """

    programs = ("risks",)
    binding = (*BagTask.binding, "edges")

    def __init__(
        self,
        host: Host = Host(),  # noqa: B008 - jsonargparse shows its fields as keys
        mask: Mask = Mask(),  # noqa: B008
        consistency: Consistency = Consistency(),  # noqa: B008
        teacher: Teacher = Teacher(),  # noqa: B008
        recycle: Recycle = Recycle(),  # noqa: B008
        weights: Literal["student", "teacher"] = "student",
        loss: Literal["hazards", "cox"] = "hazards",
        bins: int = 4,
        optim: Optim = Optim(),  # noqa: B008
    ) -> None:
        if host.clusters:
            raise ValueError("host.clusters separates instances by class; bags with times have none: leave it out")
        if not mask.negatives or mask.floor or mask.score == "class_prob":
            raise ValueError("mask.negatives, mask.floor and mask.score=class_prob need classes; bags with times have none: leave them out")
        if loss == "cox" and bins != 4:
            raise ValueError(f"bins={bins}: loss=cox cuts no time into bins; leave bins out")
        super().__init__(host, replace(mask, score="attention"), consistency, teacher, recycle, weights, optim)
        self.loss, self.bins = loss, bins

    def gather(self, data: Any) -> dict[str, Any]:
        known = data.known_of("train")
        if "time" not in known:
            raise UserError(f"{type(data).__name__} has classes, not times; give a set with time and event, or take another --config")
        facts = super().gather(data)
        if self.loss == "cox":
            return facts | {"edges": None}
        time, event = torch.from_numpy(known["time"]), torch.from_numpy(known["label"])
        try:
            return facts | {"edges": bin_edges(time, event, self.bins)}
        except ValueError as error:
            raise UserError(f"model.{error}") from None

    def outputs(self, facts: dict[str, Any]) -> int:
        return 1 if facts["edges"] is None else len(facts["edges"]) + 1

    def make_metrics(self, facts: dict[str, Any]) -> MetricCollection:
        return MetricCollection({"c_index": OfSplit(_c_index)}, compute_groups=False)

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.split = OfSplit(_c_index)

    # --- training --------------------------------------------------------------------------------------------------

    def losses(self, batch: Batch, outputs: MhimOutput) -> dict[str, Tensor]:
        losses = {"bag": self.bag_loss(outputs.student, batch), **self.tied(outputs)}
        if outputs.whole is not None:
            losses["whole"] = self.mask.whole_bag_weight * self.bag_loss(outputs.whole, batch)
        return losses

    def bag_loss(self, output: BagOutput, batch: Batch) -> Tensor:
        """With a second opinion (DSMIL) the mean of both."""
        given = [output.logits] if output.extra is None else [output.logits, output.extra]
        return torch.stack([self._likelihood(logits_SB.float(), batch) for logits_SB in given]).mean()

    def _likelihood(self, logits_SB: Tensor, batch: Batch) -> Tensor:
        time_S, event_S = batch["time"], batch["label"]
        if self.loss == "cox":
            return cox_loss(logits_SB[:, 0], time_S, event_S)
        return hazard_loss(logits_SB, bin_of(time_S, self.facts["edges"]), event_S)

    # --- measuring -------------------------------------------------------------------------------------------------

    def judged(self, output: BagOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.risk(output).unsqueeze(1), torch.stack([batch["time"].double(), batch["label"].double()], 1)

    def told(self, known: dict[str, Any], values: Tensor) -> dict[str, Any]:
        return {"time": f"{known['time']:.9g}", "event": int(known["label"]), "risk": f"{float(values):.9g}"}

    def drawn(self, values_NK: np.ndarray, known: dict[str, np.ndarray]) -> bytes:
        return survival_figure(values_NK[:, 0], known["time"].astype(np.float64), known["label"].astype(np.int64))

    def risk(self, output: BagOutput) -> Tensor:
        """(S,): higher is sooner."""
        return risk_of(output) if self.loss == "cox" else risk_of(output, hazards_of(output))

    def on_validation_epoch_end(self) -> None:
        self.log("val/select", self.select(float(self.split.compute())))
        self.split.reset()

    def baselines(self, data: Any) -> dict[str, float]:
        """Chance, and trees on bag statistics."""
        from apps.mil.stats import tree_risks

        known = data.known_of("test")
        risk, time, event = (torch.from_numpy(values) for values in (tree_risks(data), known["time"], known["label"]))
        return {"chance": 0.5, "stats_c_index": float(c_index(risk, time, event))}

    def program(self, name: str, examples: Sequence[Any]) -> Program:
        return Risks(self.model, self.facts, examples)


def _c_index(risk_N1: Tensor, known_N2: Tensor) -> Tensor:
    return c_index(risk_N1[:, 0], known_N2[:, 0], known_N2[:, 1])
