"""Whether codes are glyphs: how evenly they are used, and what they say about the character (2.4).

Shapes: V slots, M codes, K characters and the end.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Health", "health", "joint_counts", "usage_health"]


class Health(NamedTuple):
    perplexity: Tensor  # 1 to M: as many codes, evenly used, would be as undecided
    dead: Tensor  # share of codes below a tenth of an equal share
    entropy: Tensor  # in nats
    mutual_information: Tensor  # of code and character, in bits
    purity: Tensor  # share of slots whose character is their code's commonest


def joint_counts(codes_V: Tensor, tokens_V: Tensor, codes: int, classes: int) -> Tensor:
    """How often each code stood for each character, (M,K): sums over batches and processes add up."""
    return torch.bincount(codes_V * classes + tokens_V, minlength=codes * classes).unflatten(0, (codes, classes))


def usage_health(counts_M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(perplexity, dead share, entropy) of how often each code was used; of no use at all perplexity 0, all dead."""
    p_M = counts_M.double() / counts_M.sum().clamp(min=1)
    entropy = -(p_M * p_M.clamp(min=1e-300).log()).sum()
    used = (counts_M.sum() > 0).double()
    return entropy.exp() * used, (p_M < 0.1 / len(p_M)).double().mean(), entropy


def health(joint_MK: Tensor) -> Health:
    p_MK = joint_MK.double() / joint_MK.sum().clamp(min=1)
    apart_MK = p_MK.sum(1, keepdim=True) * p_MK.sum(0, keepdim=True)
    ratio_MK = torch.where(p_MK > 0, p_MK / apart_MK.clamp(min=1e-300), 1.0)
    perplexity, dead, entropy = usage_health(joint_MK.sum(1))
    return Health(perplexity, dead, entropy, (p_MK * ratio_MK.log2()).sum(), p_MK.amax(1).sum())
