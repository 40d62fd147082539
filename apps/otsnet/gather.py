"""Answers to a split, gathered over batches and processes.

Shapes: B batch, N words, L slots, S slots or columns, K classes.
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.otsnet.answer import Answer, word_confidence
from apps.otsnet.claim_scale import RAW, ClaimScale, fit_scale, least_right, one_wrong
from apps.otsnet.model import Otsnet

__all__ = ["Answered", "Claimed", "Tables"]


class Tables(Metric):
    """What temperatures are fitted on: the tables of the first `most` words of each process, what was read of them, and the truth."""

    full_state_update = False
    NAMES = ("table", "tokens", "truth")

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most, self.held = most, 0
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @property
    def full(self) -> bool:
        return self.held >= self.most

    def update(self, answer: Answer, truth_BL: Tensor) -> None:
        for name, value in zip(self.NAMES, (answer.table.detach().float(), answer.tokens, truth_BL), strict=True):
            getattr(self, name).append(value[: self.most - self.held])
        self.held += len(truth_BL)

    def compute(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """(table (N,S,K), tokens (N,L), truth (N,L)) on the CPU."""
        if not len(self.table):  # type: ignore[arg-type]
            return None
        table_NSK, tokens_NL, truth_NL = (torch.as_tensor(dim_zero_cat(getattr(self, name))).cpu() for name in self.NAMES)
        return table_NSK, tokens_NL, truth_NL

    def reset(self) -> None:
        super().reset()
        self.held = 0


class Claimed(Metric):
    """What a claim's scale is fitted on: true and spoilt claims of the first `most` words of each process."""

    full_state_update = False

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most, self.held = most, 0
        self.add_state("least", default=[], dist_reduce_fx="cat")
        self.add_state("right", default=[], dist_reduce_fx="cat")

    @property
    def full(self) -> bool:
        return self.held >= self.most

    def update(self, model: Otsnet, images_BCHW: Tensor, truth_BL: Tensor) -> None:
        """Spoilt by the place in the split alone, so that runs repeat."""
        drawn, truth_on_cpu_BL = torch.Generator().manual_seed(self.held), truth_BL.cpu()
        spoilt_BL = one_wrong(truth_on_cpu_BL, drawn, model.alike_VJ.cpu(), model.characters)
        for claim_BL in (truth_BL, spoilt_BL.to(truth_BL.device)):
            self.least.append(least_right(model, images_BCHW, claim_BL))  # type: ignore[union-attr, operator]
            self.right.append((claim_BL == truth_BL).all(1))  # type: ignore[union-attr, operator]
        self.held += len(truth_BL)

    def compute(self) -> ClaimScale:
        if not len(self.least):  # type: ignore[arg-type]
            return RAW
        least_N, right_N = (torch.as_tensor(dim_zero_cat(value)).cpu() for value in (self.least, self.right))  # type: ignore[arg-type]
        return fit_scale(least_N, right_N)

    def reset(self) -> None:
        super().reset()
        self.held = 0


class Answered(Metric):
    """Every word of a split: its id, what was read of it before and after refinement, and how sure of it."""

    full_state_update = False
    NAMES = ("ids", "tokens", "first", "sure")

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, ids_B: Tensor, answer: Answer, confidences_BL: Tensor) -> None:
        for name, value in zip(self.NAMES, (ids_B, answer.tokens, answer.first, word_confidence(confidences_BL)), strict=True):
            getattr(self, name).append(value)

    def compute(self) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """(ids (N,), tokens (N,L), first (N,L), confidence (N,)) on the CPU, in the order of the ids."""
        if not len(self.ids):  # type: ignore[arg-type]
            return None
        ids_N, *rest = (torch.as_tensor(dim_zero_cat(getattr(self, name))).cpu() for name in self.NAMES)
        order_N = ids_N.argsort(stable=True)
        tokens_NL, first_NL, sure_N = (value[order_N] for value in rest)
        return ids_N[order_N], tokens_NL, first_NL, sure_N

    def words(self) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """The same of one word as of many: what `compute` answers loses the dimension of a single number on its way through the metric."""
        found = self.compute()
        if found is None:
            return None
        ids, tokens_NL, first_NL, sure = found
        return ids.reshape(-1), tokens_NL, first_NL, sure.reshape(-1)
