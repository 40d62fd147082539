"""What the tasks of bags share: the two phases of training, the mask's schedule, the teacher that follows."""

import math
from abc import abstractmethod
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

from apps.base.errors import UserError
from apps.base.optim import Optim, cosine_with_warmup
from apps.base.task import BaseTask, Batch, Stage
from apps.mil.hosts import BagOutput
from apps.mil.leakage import load_teacher, refuse_seen
from apps.mil.localisation import hard_recall, instance_auc, instance_recall, positives
from apps.mil.losses import consistency
from apps.mil.masking import high_share
from apps.mil.metrics import OfSplit, PerBag
from apps.mil.mhim import Mhim, MhimOutput
from apps.mil.model import BagModel
from apps.mil.options import Consistency, Host, Mask, Recycle, Teacher
from core_attention.segments import Segments
from datamodules.mil.encoding import compared
from datamodules.mil.errors import FeatureMismatchError
from datamodules.mil.scaling import scaling_facts
from datamodules.ragged import Ragged

__all__ = ["BagTask", "bag_of", "segments_of"]

PLACES = {"auc": instance_auc, "recall": instance_recall}


def bag_of(batch: Batch) -> Ragged:
    return cast(Ragged, batch["bag"])


def segments_of(batch: Batch) -> Segments:
    return Segments(*bag_of(batch)[1:])


class BagTask(BaseTask):
    """Epochs before `teacher.epochs` train the plain model; its best by validation becomes the teacher, and mining begins."""

    app = "mil"
    binding = ("classes", "features", "mean", "std", "clip", "knots")
    model: Mhim
    split: OfSplit  # of validation: what checkpoints are chosen by

    def __init__(
        self,
        host: Host,
        mask: Mask,
        consistency: Consistency,
        teacher: Teacher,
        recycle: Recycle,
        weights: Literal["student", "teacher"],
        optim: Optim,
    ) -> None:
        super().__init__(optim)
        self.host, self.mask, self.consistency, self.teacher, self.recycle = host, mask, consistency, teacher, recycle
        self.weights = weights
        mines = mask.any or consistency.weight or recycle.share
        has_teacher = bool(teacher.epochs or teacher.checkpoint)
        if mines and not has_teacher:
            raise ValueError("mask, consistency and recycle need a teacher: set teacher.epochs or teacher.checkpoint")
        if has_teacher and not mines:
            raise ValueError("a teacher without mask, consistency and recycle teaches nothing: set mask.high, or leave teacher out")

    # --- the model and what it needs to know -----------------------------------------------------------------------

    def outputs(self, facts: dict[str, Any]) -> int:
        """Numbers that the model gives a bag."""
        return len(facts["classes"])

    def gather(self, data: Any) -> dict[str, Any]:
        return {
            **super().gather(data),
            "classes": list(data.classes),
            "features": int(data.width),
            **scaling_facts(data.scaler),
            "patients": data.patient_hashes(),
            "protocol": data.protocol,
            "encoder": data.encoder,
        }

    def check_data(self, data: Any) -> None:
        if wrong := compared(self.facts.get("encoder") or {}, data.encoder)[1]:  # a file that does not tell agrees with all
            raise FeatureMismatchError(f"the checkpoint was trained on other features ({'; '.join(wrong)}); encode alike")
        refuse_seen(self.facts, data, ("test",), "the checkpoint", "measure it on the fold that it was trained for")
        super().check_data(data)

    def make_model(self, facts: dict[str, Any]) -> Mhim:
        score_class, outputs = self.mask.score_class, self.outputs(facts)
        if score_class is not None and not 0 <= score_class < outputs:
            raise UserError(f"mask.score_class={score_class}: is no class; give a number from 0 to {outputs - 1}")
        student = BagModel(facts["features"], outputs, self.host)
        with_teacher = bool(self.teacher.epochs or self.teacher.checkpoint)
        return Mhim(student, self.mask, self.recycle, with_teacher, self.teacher, self.host.dim, self.weights)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        bag, segments = bag_of(batch), segments_of(batch)
        if not self.training:
            return (bag.flat, segments, None, None, 0.0, positives(batch) is not None)
        return (bag.flat, segments, batch["noise"], batch.get("label"), high_share(self.mask, self.progress()), False)

    def batch_size(self, batch: Batch) -> int:
        return bag_of(batch).count

    def no_decay(self) -> list[str]:
        return ["student.host.cls_token"]

    def build(self, facts: dict[str, Any]) -> None:
        super().build(facts)
        self.tested, self.found = PerBag(), MeanMetric()
        self.answered: Tensor | None = None
        self.places = nn.ModuleDict({f"{score}_{what}": MeanMetric() for score in ("attention", "instance") for what in PLACES})

    # --- the answers of tested bags --------------------------------------------------------------------------------

    def on_test_epoch_start(self) -> None:
        self.tested.reset()
        self.answered = None

    def on_test_epoch_end(self) -> None:
        self.answered = self.tested.compute()  # here, where processes still gather

    def answers(self, data: Any) -> list[dict[str, Any]]:
        if self.answered is None:
            return []
        rows = [(data.told_of(int(row[0])), row[1:]) for row in self.answered]
        return [{"bag": bag.name, "patient": bag.patient, **self.told(bag.known, values)} for bag, values in rows]

    def figures(self, data: Any) -> dict[str, bytes]:
        if self.answered is None:
            return {}
        known = [data.told_of(int(row[0])).known for row in self.answered]
        together = {key: np.array([one[key] for one in known]) for key in known[0]}
        return {"answers": self.drawn(np.asarray(self.answered)[:, 1:], together)}

    @abstractmethod
    def drawn(self, values_NK: np.ndarray, known: dict[str, np.ndarray]) -> bytes:
        """What was answered, and what is known, of all tested bags in one picture."""

    @abstractmethod
    def judged(self, output: BagOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        """(what the model answers (S,K), what is known (S,...)), as the metrics take them."""

    def measure(self, metrics: MetricCollection, batch: Batch, outputs: MhimOutput, stage: Stage) -> None:
        answer, known = self.judged(outputs.student, batch)
        self.score(metrics, batch, answer, known, stage)
        self.localise(batch, outputs.student, stage)

    def score(self, metrics: MetricCollection, batch: Batch, answer: Tensor, known: Tensor, stage: Stage) -> None:
        metrics.update(answer, known)
        if stage == "test":
            self.tested.update(batch["index"], answer)
        else:
            self.split.update(answer, known)

    def localise(self, batch: Batch, output: BagOutput, stage: Stage) -> None:
        """How well the instances that matter are found, where it is known which they are. Which are hard is known of made bags only."""
        positive_T, segments = positives(batch), segments_of(batch)
        if positive_T is None or output.attention is None:
            return
        if "hard_instance" in batch:
            self.found.update(*hard_recall(output.attention.mean(1), positive_T, batch["hard_instance"], segments.offsets))
            self.log(f"{stage}/hard_recall", self.found, on_epoch=True, batch_size=segments.count)
        for name, score_T in self.pointing(batch, output).items() if stage == "test" else ():
            for what, function in PLACES.items():
                found_S = function(score_T, positive_T, segments)
                known_S = ~found_S.isnan()
                metric = cast(MeanMetric, self.places[f"{name}_{what}"])
                metric.update(found_S.nan_to_num().float(), known_S.float())
                self.log(f"test/{name}_{what}", metric, on_epoch=True, batch_size=len(found_S))

    def pointing(self, batch: Batch, output: BagOutput) -> dict[str, Tensor]:
        """Scores (T,) of instances that should be high where it matters."""
        assert output.attention is not None
        return {"attention": output.attention.mean(1)}

    @abstractmethod
    def told(self, known: dict[str, Any], values: Tensor) -> dict[str, Any]:
        """What answers.csv says of a bag: the truth, and what `judged` answered."""

    # --- losses ----------------------------------------------------------------------------------------------------

    def tied(self, outputs: MhimOutput) -> dict[str, Tensor]:
        """The consistency loss, where there is one."""
        if not self.consistency.weight or outputs.teacher is None:
            return {}
        cross, _ = consistency(outputs.teacher, outputs.student, self.consistency)
        return {"consistency": self.consistency.weight * cross}

    def observe(self, outputs: MhimOutput) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        if outputs.drops is not None:
            values |= {f"share_{name}": getattr(outputs.drops, name).float().mean() for name in ("keep", "random", "low", "high")}
            assert outputs.teacher is not None
            assert outputs.teacher.attention is not None
            removed_T = outputs.teacher.attention.mean(1) * ~outputs.drops.keep
            values["attention_removed"] = removed_T.sum() / len(outputs.teacher.logits)  # it sums to 1 in each bag
        if outputs.skipped is not None:
            values["shown_whole"] = outputs.skipped.float().mean()
        if outputs.teacher is not None:
            cross, entropy = consistency(outputs.teacher, outputs.student, self.consistency)
            values |= {"kl": (cross - entropy).detach(), "teacher_distance": self.model.distance()}
        return values

    # --- the two phases --------------------------------------------------------------------------------------------

    def phases(self) -> tuple[int, int]:
        """(optimiser steps of the plain model, steps of all)."""
        total = self.total_steps()
        epochs = self.trainer.max_epochs
        if not self.teacher.epochs:
            return 0, total
        if epochs is None or epochs <= self.teacher.epochs:
            raise UserError(f"teacher.epochs={self.teacher.epochs} leaves nothing of trainer.max_epochs={epochs}; raise it")
        return round(total * self.teacher.epochs / epochs), total

    def progress(self) -> float:
        """Of mining, from 0 to 1."""
        first, total = self._phases
        return min(max((self.trainer.global_step - first) / max(1, total - first), 0.0), 1.0)

    def configure_optimizers(self) -> Any:
        """Each phase has a warm-up and a cosine of its own."""
        configured = super().configure_optimizers()
        self._phases = first, total = self.phases()

        def factor(step: int) -> float:
            begin, end = (0, first) if step < first else (first, total)
            return cosine_with_warmup(step - begin, end - begin, self.optim.warmup, self.optim.floor)

        scheduler = torch.optim.lr_scheduler.LambdaLR(configured["optimizer"], factor)
        return {"optimizer": configured["optimizer"], "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_fit_start(self) -> None:
        path = self.teacher.checkpoint
        if path is None or self.model.mining:  # a resumed run has its teacher inside
            return
        assert self.model.teacher is not None
        weights = load_teacher(path, self.trainer.datamodule, self.facts)  # type: ignore[attr-defined]
        try:
            self.model.teacher.load_state_dict({name: value.to(self.device) for name, value in weights.items()})
        except RuntimeError:
            raise UserError(
                f"teacher.checkpoint={path}: of another host than host.name={self.host.name}, dim={self.host.dim}; give its own"
            ) from None
        self.model.begin()

    def on_train_epoch_start(self) -> None:
        if self.teacher.epochs and self.current_epoch >= self.teacher.epochs and not self.model.mining:
            self.model.begin()
            for optimizer in self.trainer.optimizers:
                optimizer.state.clear()  # moments of weights that are no more

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.model.teacher is not None and self.model.mining:
            self.model.follow(self.momentum())

    def momentum(self) -> float:
        """m at this step: constant, or by a cosine to its last value."""
        first, total = self._phases
        m = self.teacher.momentum
        if m is None:
            m = min(max(1 - 1 / max(1.0, 0.2 * (total - first)), 0.99), 0.9999)
        final = self.teacher.final
        return m if final is None else final + (m - final) * 0.5 * (1 + math.cos(math.pi * self.progress()))

    def select(self, score: float) -> float:
        """A validation score as checkpoints are ranked by it: none while the plain model is trained for a teacher."""
        if self.teacher.epochs and not self.model.mining:
            self.model.offer(score if math.isfinite(score) else 0.0)
            return math.nan
        return score
