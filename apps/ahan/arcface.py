"""ArcFace: people as classes, told apart by angle with a margin (section 3).

Shapes: B batch, D width, K people.
"""

from math import cos, pi, sin

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, normalize

__all__ = ["ArcFace", "margin_logits"]

EDGE = 1 - 1e-7  # the root of 1 - cos^2 has no gradient at 1


def margin_logits(cosine_BK: Tensor, label_B: Tensor, s: float, m: float) -> Tensor:
    """s cos(theta + m) for the own person, s cos(theta) for the others; beyond pi - m the safe form cos(theta) - m sin m."""
    cosine_BK = cosine_BK.float().clamp(-EDGE, EDGE)
    own_B1 = cosine_BK.gather(1, label_B[:, None])
    turned_B1 = own_B1 * cos(m) - (1 - own_B1.square()).sqrt() * sin(m)
    turned_B1 = torch.where(own_B1 > cos(pi - m), turned_B1, own_B1 - m * sin(m))
    return s * cosine_BK.scatter(1, label_B[:, None], turned_B1)


class ArcFace(nn.Module):
    """m may be given at each call, while it grows."""

    def __init__(self, dim: int, people: int, s: float = 64.0, m: float = 0.5, generator: Generator | None = None) -> None:
        super().__init__()
        if people < 2:
            raise ValueError(f"ArcFace tells people apart: it needs two or more, not {people}")
        self.s, self.m = s, m
        self.weight = nn.Parameter(torch.empty(people, dim))
        nn.init.normal_(self.weight, std=0.01, generator=generator)

    def forward(self, vectors_BD: Tensor, label_B: Tensor, m: float | None = None) -> Tensor:
        people = len(self.weight)
        wrong_B = (label_B < 0) | (label_B >= people)
        if bool(wrong_B.any()):
            raise IndexError(f"person {int(label_B[wrong_B][0])} is none of the {people} of training, 0 to {people - 1}")
        with torch.autocast(vectors_BD.device.type, enabled=False):  # angles of near twins need float32
            cosine_BK = normalize(vectors_BD.float()) @ normalize(self.weight.float()).T
            return cross_entropy(margin_logits(cosine_BK, label_B, self.s, self.m if m is None else m), label_B)
