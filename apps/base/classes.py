"""What tasks with classes share: weights that make rare classes count, and the answers that need no model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["balanced_weights", "trivial_answers"]


def balanced_weights(counts: Sequence[int]) -> Tensor:
    """The inverse of each class's training count, such that the mean over the training samples is 1. A class of none counts as one."""
    counts_C = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
    return counts_C.sum() / (len(counts_C) * counts_C)


def trivial_answers(classes: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """The accuracy on the test split of guessing, and of always naming the commonest class of training."""
    train, test = ([counts[split].get(name, 0) for name in classes] for split in ("train", "test"))
    return {"chance": 1 / len(classes), "constant": test[train.index(max(train))] / max(1, sum(test))}
