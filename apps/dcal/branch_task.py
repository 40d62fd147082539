"""What both tasks of DCAL share: how the pair branch is fed, how losses are weighed, what is worth a curve."""

from abc import abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor

from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.base.task import BaseTask, Batch
from apps.dcal.answering import Answer, resolve
from apps.dcal.draw_training import branches_figure
from apps.dcal.model import Dcal, DcalOutput
from apps.dcal.options import Glca, Pwca
from apps.dcal.partners import choose_partners
from core_attention.trunks import build_trunk, fits_picture

__all__ = ["BranchTask"]


class BranchTask(BaseTask):
    """A task around a Dcal model; `identity` names the batch's key by which partners are told apart, `head` the kind of its classifiers.

    Args:
        trunk: Name of the trunk (vit_micro, vit_mini, vit_tiny, vit_small, vit_base, resnet18, resnet18_half, resnet50, hybrid_mini,
            hybrid_small, moat_micro, moat_tiny, duo_mini, duo_small).
        trunk_options: Options of the trunk, by its own names.
        glca: The global-local branch.
        loss_weights: The branches' losses are weighed by learned numbers, or alike (fixed).
        loss_weight_lr: Factor on the learning rate of those numbers.
        label_smoothing: Share of the target spread over all classes or identities in training.
        optim: The optimiser and its schedule.
    """

    app = "dcal"
    identity: str
    head = "linear"
    model: Dcal

    def __init__(
        self,
        trunk: str,
        trunk_options: dict[str, Any] | None,
        glca: Glca,
        pwca: Pwca,
        branches: Answer,
        loss_weights: Literal["learned", "fixed"],
        loss_weight_lr: float,
        label_smoothing: float,
        optim: Optim,
    ) -> None:
        super().__init__(optim)
        self.trunk, self.trunk_options = trunk, trunk_options or {}
        self.glca, self.pwca = glca, pwca
        self.branches: Answer = resolve(branches, glca.blocks > 0)
        self.loss_weights, self.loss_weight_lr = loss_weights, loss_weight_lr
        self.label_smoothing = label_smoothing
        self.lonely_steps = 0  # without a pair loss, because the batch had one picture
        self.strays = self.paired = 0  # pictures whose partner is not of the kind that was asked for, of all that had one

    @abstractmethod
    def branch_loss(self, batch: Batch, logits_BK: Tensor, token_BD: Tensor) -> Tensor:
        """What one classifier's answer and the token that it was read from cost."""

    @abstractmethod
    def classified(self, facts: dict[str, Any]) -> int:
        """How many classes or identities the classifiers tell apart."""

    def make_model(self, facts: dict[str, Any]) -> Dcal:
        trunk = build_trunk(self.trunk, **{**fits_picture(self.trunk, facts["preprocess"]["size"]), **self.trunk_options})
        learned = self.loss_weights == "learned"
        return Dcal(trunk, self.classified(facts), self.glca, self.pwca, head=self.head, learned_weights=learned)

    def losses(self, batch: Batch, outputs: DcalOutput) -> dict[str, Tensor]:
        losses = {"sa": self.branch_loss(batch, outputs.sa_logits, outputs.sa_token)}
        if outputs.glca_logits is not None and outputs.glca_token is not None:
            of_blocks = [self.branch_loss(batch, logits_BK, outputs.glca_token) for logits_BK in outputs.glca_logits]
            losses["glca"] = torch.stack(of_blocks).mean()
        if outputs.pwca_logits is not None and outputs.pwca_token is not None:
            losses["pwca"] = self.branch_loss(batch, outputs.pwca_logits, outputs.pwca_token)
        return losses

    def warm_started(self) -> None:
        """A file with weights of the global-local blocks keeps them; one of a trunk alone gives them its last block's."""
        branch = self.model.glca
        if branch is not None and self.glca.init == "last" and not any(name.startswith("glca.blocks.") for name in self.warm):
            branch.start_from(self.model.trunk)  # type: ignore[arg-type]

    def cold_started(self) -> None:
        if self.model.glca is not None and self.glca.init == "last":
            raise UserError("glca.init=last copies a pretrained block, and nothing is loaded: give --init FILE, or --model.glca.init=new")

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        if not self.training or not self.model.pair_blocks:
            return (batch["image"],)
        if self.pwca.needs_others:
            if "other" not in batch:
                raise UserError("this pair branch needs a second picture with each: set data.partners to train, or to a folder")
            return (batch["image"], None, batch["other"], self._logs_now())
        if len(batch[self.identity]) < 2:  # nobody to pair with: the branch has no loss in this step
            self.lonely_steps += 1
            return (batch["image"],)
        partner, strays = choose_partners(self.pwca.pair_source, batch[self.identity])
        self.strays, self.paired = self.strays + strays, self.paired + len(partner)
        return (batch["image"], partner.to(batch["image"].device), None, self._logs_now())

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        weights = self.model.loss_weights
        return super().total(losses) if weights is None else weights(losses, together=self.trainer.world_size > 1)

    def observe(self, outputs: DcalOutput) -> dict[str, Tensor]:
        values = {}
        if self.model.loss_weights is not None:
            values |= {f"w_{name}": w.detach() for name, w in self.model.loss_weights.w.items()}
        if self.model.pair_blocks and not self.pwca.needs_others:
            counts = {"lonely_steps": self.lonely_steps, "stray_partners": self.strays / max(1, self.paired)}
            values |= {name: torch.tensor(float(count)) for name, count in counts.items() if count}
        if outputs.leakage is not None:
            values["leakage"] = outputs.leakage.mean()
            values |= {f"leakage_{i}": share for i, share in enumerate(outputs.leakage)}
        return values

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.model.loss_weights is not None:
            self.model.loss_weights.project()

    def run_figures(self, history: dict[str, list[tuple[int, float]]]) -> dict[str, bytes]:
        drawn = branches_figure(history)
        return {} if drawn is None else {"branches": drawn}

    def batch_size(self, batch: Batch) -> int:
        return len(batch["image"])

    def layers(self) -> list[list[str]]:
        return [[f"trunk.{name}" for name in group] for group in self.model.trunk.layer_groups()]

    def no_decay(self) -> list[str]:
        return ["trunk.pos_embed", "trunk.cls_token", "trunk.reg_token", "trunk.scale_token", "trunk.scale_embed"]

    def rates(self) -> dict[str, float]:
        return {"loss_weights.": self.loss_weight_lr}
