"""Order within each bag. In training only: nothing here is exported.

Shapes: T instances of all bags, S bags.
"""

import torch
from torch import Tensor

__all__ = ["rank_within", "sizes"]


def sizes(offsets: Tensor) -> Tensor:
    """(S,): instances of each bag."""
    return offsets.diff()


def rank_within(segment_T: Tensor, offsets: Tensor, *keys_T: Tensor) -> Tensor:
    """Each instance's place within its bag, 0 for the largest: by the first key, ties by the next, at last by index."""
    order_T = torch.arange(len(segment_T), device=segment_T.device)
    for key_T in reversed(keys_T):  # stable sorts, the last one counts most
        order_T = order_T[key_T[order_T].argsort(descending=True, stable=True)]
    order_T = order_T[segment_T[order_T].argsort(stable=True)]
    place_T = torch.arange(len(segment_T), device=segment_T.device) - offsets[segment_T[order_T]]
    return torch.empty_like(place_T).index_copy(0, order_T, place_T)
