"""Attention over two sets of keys from the answers over each: a prefix that many queries share, and a tail of each query's own.

Shapes: any leading dimensions, E value width last in o and absent in lse.
"""

import torch
from torch import Tensor

__all__ = ["merge"]


def merge(o1: Tensor, lse1: Tensor, o2: Tensor, lse2: Tensor) -> tuple[Tensor, Tensor]:
    """(o, lse) of softmax attention over both sets of keys, from `attend(..., need_lse=True)` over each.

    A query that sees nothing in either set gets zeros and -inf.

    >>> o, lse = merge(*attend(q, k1, v1, need_lse=True), *attend(q, k2, v2, need_lse=True))
    """
    lse = torch.logaddexp(lse1, lse2)
    safe = lse.masked_fill(lse == -torch.inf, 0.0)
    share1, share2 = (lse1 - safe).exp().unsqueeze(-1), (lse2 - safe).exp().unsqueeze(-1)
    return (o1 * share1 + o2 * share2).to(o1.dtype), lse
