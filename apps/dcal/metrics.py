"""Scores of a whole split, gathered over batches and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.base.calibration import calibration_error
from apps.dcal.ranking import Gathered

__all__ = ["Calibration", "Logits", "Vectors"]


class Calibration(Metric):
    """Expected calibration error of the answered class, over bins of equal mass. Where the bins end is known of a whole split only.

    Shapes: B batch, K classes.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in ("sure", "right"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """preds: probabilities (B,K); target: labels (B,)."""
        sure_B, answer_B = preds.detach().float().max(-1)
        self.sure.append(sure_B)  # type: ignore[union-attr,operator]
        self.right.append(answer_B == target)  # type: ignore[union-attr,operator]

    def compute(self) -> Tensor:
        sure_N, right_N = (torch.as_tensor(dim_zero_cat(getattr(self, name))) for name in ("sure", "right"))
        return calibration_error(sure_N, right_N).float()


class Logits(Metric):
    """Logits by branch, and labels, of every picture of a split.

    Shapes: B batch, N pictures, M blocks of a branch, K classes.
    """

    full_state_update = False

    def __init__(self, branches: list[str]) -> None:
        super().__init__()
        self.branches = branches
        for name in ("label", *branches):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, logits: dict[str, Tensor], labels: Tensor) -> None:
        """logits: (M,B,K) by branch."""
        self.label.append(labels)  # type: ignore[union-attr,operator]
        for name in self.branches:
            getattr(self, name).append(logits[name].detach().float().transpose(0, 1))

    def compute(self) -> tuple[dict[str, Tensor], Tensor]:
        """((M,N,K) by branch, labels (N,)), on the CPU."""
        logits = {name: dim_zero_cat(getattr(self, name)).transpose(0, 1).cpu() for name in self.branches}
        return logits, torch.as_tensor(dim_zero_cat(self.label)).cpu()  # type: ignore[arg-type]


class Vectors(Metric):
    """The vector of every picture of a split, whose it is, which camera saw it, and whether it asks.

    Shapes: B batch, D width.
    """

    full_state_update = False
    NAMES = ("vectors", "identity", "camera", "is_query")

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, vectors_BD: Tensor, identity_B: Tensor, camera_B: Tensor, is_query_B: Tensor) -> None:
        for name, value in zip(self.NAMES, (vectors_BD.detach().float(), identity_B, camera_B, is_query_B), strict=True):
            getattr(self, name).append(value)

    def compute(self) -> Gathered:
        """On the CPU."""
        return Gathered(*(torch.as_tensor(dim_zero_cat(getattr(self, name))).cpu() for name in self.NAMES))
