"""How probable a claim is, from how right the verifier thinks its least right character: fitted on true and on spoilt claims.

Shapes: N claims, B batch, L slots, V vocabulary, J look-alikes.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from apps.otsnet import vocabulary
from apps.otsnet.model import Otsnet

__all__ = ["RAW", "ClaimScale", "fit_scale", "least_right", "one_wrong"]

ROUNDS = 50  # of Newton's method, which needs about ten
SURE = 1e-7  # nearer to 0 or 1 a judge cannot be in float32


class ClaimScale(NamedTuple):
    """ours (Platt, 1999): the judge's logit times the slope, and the shift. It is trained on single characters, a third of them spoilt in
    some words, and the least of several is too humble."""

    slope: float = 1.0
    shift: float = 0.0

    def of(self, p: float) -> float:
        if self == RAW:
            return p
        p = min(max(p, SURE), 1 - SURE)
        return 1 / (1 + math.exp(-self.slope * math.log(p / (1 - p)) - self.shift))


RAW = ClaimScale()


def one_wrong(tokens_BL: Tensor, generator: Generator, alike_VJ: Tensor, characters: int) -> Tensor:
    """Each word with one other character, every second time a look-alike where there is one; on the CPU."""
    size_B, rows_B = ((tokens_BL >= 1) & (tokens_BL <= characters)).sum(1), torch.arange(len(tokens_BL))
    at_B = (torch.rand(len(tokens_BL), generator=generator) * size_B).long()
    own_B = tokens_BL[rows_B, at_B]
    other_B = (own_B - 1 + torch.randint(1, max(2, characters), (len(own_B),), generator=generator)) % characters + 1
    alike_BJ = alike_VJ[own_B]
    count_B = (alike_BJ >= 0).sum(1)
    pick_B = (torch.rand(len(own_B), generator=generator) * count_B).long().clamp(max=alike_VJ.shape[1] - 1)
    takes_B = (torch.rand(len(own_B), generator=generator) < 0.5) & (count_B > 0)
    made_BL = tokens_BL.clone()
    made_BL[rows_B, at_B] = torch.where(size_B > 0, torch.where(takes_B, alike_BJ[rows_B, pick_B], other_B), own_B)
    return made_BL


def least_right(model: Otsnet, images_BCHW: Tensor, claim_BL: Tensor) -> Tensor:
    """How right the verifier thinks the least right of a claim's characters and its end, (B,)."""
    right_BL, _ = model.judge(images_BCHW, claim_BL)
    return right_BL.masked_fill(vocabulary.behind_end(claim_BL), 1.0).amin(1)


def fit_scale(least_N: Tensor, right_N: Tensor) -> ClaimScale:
    """By Newton's method, which has one optimum. Counted as if one more claim of each kind had been seen."""
    right, wrong = int(right_N.sum()), int((~right_N).sum())
    if not right or not wrong:
        return RAW
    x_N2 = torch.stack([least_N.double().clamp(SURE, 1 - SURE).logit(), torch.ones(len(least_N), dtype=torch.float64)], 1)
    target_N = torch.where(right_N, (right + 1) / (right + 2), 1 / (wrong + 2)).double()
    scale_2 = torch.zeros(2, dtype=torch.float64)
    for _ in range(ROUNDS):
        p_N = (x_N2 @ scale_2).sigmoid()
        curve_22 = x_N2.T @ (x_N2 * (p_N * (1 - p_N)).unsqueeze(1)) + 1e-6 * torch.eye(2, dtype=torch.float64)
        scale_2 = scale_2 - torch.linalg.solve(curve_22, x_N2.T @ (p_N - target_N))
    slope, shift = scale_2.tolist()
    return ClaimScale(slope, shift) if math.isfinite(slope + shift) and slope > 0 else RAW  # a judge who knows nothing stays as it is
