"""Batch-hard triplet loss: each picture's farthest of its own identity should be nearer than the nearest of another.

Shapes: B batch, D width.
"""

import warnings

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

__all__ = ["batch_hard_triplet"]

TINY = 1e-12  # the root of a squared distance of nothing has no gradient


def batch_hard_triplet(tokens_BD: Tensor, identity_B: Tensor, margin: float | None = None) -> Tensor:
    """Mean over the pictures that have both; softplus(d_ap - d_an) without a margin, else relu(d_ap - d_an + margin).

    Euclidean distances of the vectors as they are (Hermans et al., arXiv 1703.07737; softplus as TransReID has it). A batch of one
    identity, or of one picture an identity, has no triplet: 0, with a warning.
    """
    x_BD = tokens_BD.double() if tokens_BD.dtype == torch.float64 else tokens_BD.float()
    square_BB = (x_BD[:, None] - x_BD[None, :]).square().sum(-1)
    distance_BB = square_BB.clamp(min=TINY).sqrt()
    same_BB = identity_B[:, None] == identity_B[None, :]
    other_BB = ~torch.eye(len(x_BD), dtype=torch.bool, device=x_BD.device)
    usable_B = (same_BB & other_BB).any(1) & (~same_BB).any(1)
    if not usable_B.any():
        warnings.warn(
            "the batch has no triplet: give it two identities with two pictures each (data.identities, data.pictures)", stacklevel=2
        )
        return x_BD.sum() * 0.0
    farthest_B = distance_BB.masked_fill(~(same_BB & other_BB), -torch.inf).amax(1)
    nearest_B = distance_BB.masked_fill(same_BB, torch.inf).amin(1)
    gap_B = (farthest_B - nearest_B)[usable_B]
    return (softplus(gap_B) if margin is None else relu(gap_B + margin)).mean()
