"""The mean of the heads' softmax maps in plain aten.

Shapes: B batch, H heads, N queries, M keys, D width.
"""

from torch import Tensor

from kernels.attend.reference import weights

__all__ = ["head_mean_map"]


def head_mean_map(
    q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """Return (B,N,M) in at least float32. lse: the log-sum-exp (B,H,N) of these very logits, if it is known: it saves time,
    changes nothing, and gets no gradient. mask, scale: as of `attend`. A query that may attend to nothing has a row of zeros."""
    return weights(q_BHND, k_BHMD, mask, False, scale)[0].mean(1)
