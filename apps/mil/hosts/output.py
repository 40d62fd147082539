"""What every bag model answers.

Shapes: T instances of all bags, S bags, D width, C classes, H heads, K rows of the bag's matrix (1, or C for DSMIL).
"""

from typing import NamedTuple

from torch import Tensor

__all__ = ["BagOutput"]


class BagOutput(NamedTuple):
    logits: Tensor  # (S,C)
    bag: Tensor  # (S,K,D), what the consistency loss compares
    extra: Tensor | None = None  # (S,C), a second opinion: DSMIL's critical instances
    attention: Tensor | None = None  # (T,H): each column sums to 1 over a bag (Nystrom: nearly, and may be a little negative)
    evidence: Tensor | None = None  # (T,C): what an instance, weighted as it is, says for each class
    instance: Tensor | None = None  # (T,C): logits of the instance by itself

    def probs(self) -> Tensor:
        """(S,C)."""
        if self.extra is None:
            return self.logits.softmax(-1)
        return (self.logits.softmax(-1) + self.extra.softmax(-1)) / 2
