"""Gated attention pooling in plain aten (Ilse et al., arXiv 1802.04712).

Shapes: T tokens of all segments, S segments, D width, H hidden units, K columns of scores.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.segment_attend.reference import segment_attend

__all__ = ["ACTS", "gated_pool", "scores"]

ACTS = ("tanh", "relu")


def gated_pool(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """(z (S,K,D) in the dtype of x, log-sum-exp of the scores (S,K) in at least float32), z the mean of x under the softmax of
    act(x V + bv) * sigmoid(x U + bu) w over each segment; without U there is no gate.

    x: (T,D). V, U: (D,H). w: (H,K). bv, bu: (H,). offsets: (S+1,) whole numbers. act: tanh or relu.
    A segment without tokens gives zeros and -inf.
    """
    return segment_attend(x, scores(x, V, U, w, bv, bu, act), offsets)


def scores(
    x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, bv: Tensor | None = None, bu: Tensor | None = None, act: str = "tanh"
) -> Tensor:
    """(T,K), in at least float32; arguments as in `gated_pool`."""
    full = torch.promote_types(x.dtype, torch.float32)
    with autocast_off(x):
        x_TD = x.to(full)
        h_TH = x_TD @ V.to(full)
        h_TH = h_TH if bv is None else h_TH + bv.to(full)
        h_TH = h_TH.tanh() if act == "tanh" else h_TH.relu()
        if U is not None:
            gate_TH = x_TD @ U.to(full)
            h_TH = h_TH * (gate_TH if bu is None else gate_TH + bu.to(full)).sigmoid()
        return h_TH @ w.to(full)
