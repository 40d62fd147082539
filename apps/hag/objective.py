"""What is learned from: millimetres, two ordered questions, or the classes of a set that has no millimetres (section 3.1).

Shapes: B batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from apps.hag.millimetres import BETA, to_target
from apps.hag.model import HagOutput
from apps.hag.options import Losses
from apps.hag.where import where_loss
from datamodules.hag.classes import BORDERS

__all__ = ["losses_of", "ordinal_loss", "size_loss", "weights_of"]


def weights_of(mm_B: Tensor, factors: tuple[float, float]) -> Tensor:
    """The factor of each size, by its millimetres: scaled targets would never reach the borders."""
    low, high = BORDERS
    weights_B = torch.where(mm_B > low, factors[0], 1.0)
    return torch.where(mm_B >= high, factors[1], weights_B)


def size_loss(y_B: Tensor, mm_B: Tensor, censored_B: Tensor, options: Losses) -> Tensor:
    """SmoothL1 of each on the target's scale. Of a censored size (this or more) an answer above it is no error."""
    wanted_B = to_target(mm_B, options.target)
    y_B = torch.where(censored_B, torch.minimum(y_B, wanted_B), y_B)
    return F.smooth_l1_loss(y_B, wanted_B, beta=BETA[options.target], reduction="none")


def ordinal_loss(ordinal_B2: Tensor, mm_B: Tensor, censored_B: Tensor) -> Tensor:
    """Cross-entropy of the two questions, each; of a censored size only the questions that it answers."""
    above_B2 = torch.stack([mm_B > BORDERS[0], mm_B >= BORDERS[1]], 1)
    asked_B2 = above_B2 | ~censored_B[:, None]
    each_B2 = F.binary_cross_entropy_with_logits(ordinal_B2, above_B2.to(ordinal_B2.dtype), reduction="none")
    return (each_B2 * asked_B2).sum(1)


def losses_of(outputs: HagOutput, batch: dict[str, Tensor], options: Losses, training: bool) -> dict[str, Tensor]:
    """Means over the batch; frames of unknown size take no part in those of millimetres."""
    found: dict[str, Tensor] = {}
    if outputs.where is not None:
        found["where"] = options.where * where_loss(outputs.where, batch["box"], batch["has_box"])
    if outputs.logits is not None:
        found["classes"] = F.cross_entropy(outputs.logits, batch["label"], label_smoothing=options.smoothing if training else 0.0)
        return found
    known_B, mm_B, censored_B = batch["has_mm"], batch["mm"], batch["censored"]
    weights_B = weights_of(mm_B, options.size_weights) * known_B
    # ours: the weights' mean over the batch, so that a batch of large polyps takes no larger step
    total = weights_B.sum().clamp(min=1e-6)
    if outputs.y is not None:
        found["mm"] = (size_loss(outputs.y, mm_B, censored_B, options) * weights_B).sum() / total
    if outputs.ordinal is not None:
        share = options.ordinal if outputs.y is not None else 1.0
        found["classes"] = share * (ordinal_loss(outputs.ordinal, mm_B, censored_B) * weights_B).sum() / total
    return found
