"""What is learned from (ACCORD brief 3.2).

B instances, T steps, A actions, P width of the state.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["accuracy", "decision_loss", "state_error", "state_loss"]


def _mean_of_instances(value_BT: Tensor, counted_BT: Tensor) -> Tensor:
    """Per instance first, then over those that have any: long instances do not dominate. 0 where none has."""
    counts_B = counted_BT.sum(1)
    mean_B = torch.where(counted_BT, value_BT, 0.0).sum(1) / counts_B.clamp(min=1)
    return mean_B.sum() / (counts_B > 0).sum().clamp(min=1)


def decision_loss(logits_BTA: Tensor, mask_BTA: Tensor, target_BTA: Tensor, free_BT: Tensor) -> Tensor:
    """Cross entropy of the masked softmax over the free steps; the target may be spread over decisions of equal worth."""
    logits_BTA = logits_BTA.float()
    masked_BTA = logits_BTA.masked_fill(~mask_BTA, torch.finfo(logits_BTA.dtype).min)  # never -inf: 0 * -inf is NaN
    return _mean_of_instances(-(target_BTA * masked_BTA.log_softmax(2)).sum(2), free_BT)


def state_loss(predicted_BTP: Tensor, features_BTP: Tensor, present_BT: Tensor) -> Tensor:
    """Huber: what a step says of the next one's state. present: steps that are there, padding is not."""
    difference_BTP = F.huber_loss(predicted_BTP[:, :-1].float(), features_BTP[:, 1:], reduction="none")
    return _mean_of_instances(difference_BTP.mean(2), present_BT[:, 1:])


def state_error(predicted_BTP: Tensor, features_BTP: Tensor, present_BT: Tensor) -> Tensor:
    """(B,) mean absolute error of the same, of each instance."""
    error_BT = (predicted_BTP[:, :-1].float() - features_BTP[:, 1:]).abs().mean(2)
    there_BT = present_BT[:, 1:]
    return torch.where(there_BT, error_BT, 0.0).sum(1) / there_BT.sum(1).clamp(min=1)


def accuracy(logits_BTA: Tensor, mask_BTA: Tensor, target_BTA: Tensor, free_BT: Tensor) -> Tensor:
    """Share of free steps whose likeliest decision is one of the targets."""
    chosen_BT1 = logits_BTA.masked_fill(~mask_BTA, torch.finfo(logits_BTA.dtype).min).argmax(2, keepdim=True)
    right_BT = target_BTA.gather(2, chosen_BT1)[:, :, 0] > 0
    return _mean_of_instances(right_BT.float(), free_BT)
