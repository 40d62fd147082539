"""A polyp's size from its frames: the weighted median of ln mm. Tensors in and out, so that it is exported as it stands.

Frames of one polyp are not independent: what is told of their spread is no interval of the size, and nothing is divided by sqrt(n).

Shapes: F frames.
"""

from typing import Dict  # noqa: UP035 - TorchScript reads typing's Dict

import torch
from torch import Tensor

__all__ = ["ENOUGH", "aggregate", "weighted_quantile"]

ENOUGH = 5  # frames; fewer are flagged
TRIM = 0.1  # of the weight, at either end


def aggregate(mm_F: Tensor, weight_F: Tensor, enough: int = ENOUGH, trim: float = TRIM) -> Dict[str, Tensor]:  # noqa: UP006
    """One polyp's frames to its size. Frames whose mm is no size, or whose weight is not above 0, do not count.

    mm: NaN where no frame counts. spread_low, spread_high: between them the inner 80 % of the frames' weight. frames: those that count;
    used: those of them inside the spread; few: whether fewer than 5 count.

    A trim of 10 % at either end leaves a median where it is, so that it acts on `used` and the spread alone (ours). Both numbers are
    arguments because a scripted function sees no constants of its file.

    >>> aggregate(torch.tensor([4.0, 5.0, 6.0]), torch.ones(3))["mm"]
    tensor(5., dtype=torch.float64)
    """
    counts_F = torch.isfinite(mm_F) & (mm_F > 0) & torch.isfinite(weight_F) & (weight_F > 0)
    log_F = torch.where(counts_F, mm_F, torch.ones_like(mm_F)).double().log()
    weight_F = torch.where(counts_F, weight_F, torch.zeros_like(weight_F)).double()
    middle = weighted_quantile(log_F, weight_F, 0.5)
    low, high = weighted_quantile(log_F, weight_F, trim), weighted_quantile(log_F, weight_F, 1.0 - trim)
    frames = counts_F.sum()
    return {
        "mm": middle.exp(),
        "spread_low": low.exp(),
        "spread_high": high.exp(),
        "frames": frames,
        "used": (counts_F & (log_F >= low) & (log_F <= high)).sum(),
        "few": frames < enough,
    }


def weighted_quantile(value_F: Tensor, weight_F: Tensor, share: float) -> Tensor:
    """The value at which this share of the weight is reached; halfway to the next where it is reached exactly. NaN without weight.

    No count of frames is kept in it: all frames twice give the same, and so does any order.
    """
    nothing = torch.zeros(1, dtype=weight_F.dtype, device=weight_F.device)  # there is always something to take from
    value_F, weight_F = torch.cat([value_F, nothing.to(value_F.dtype)]), torch.cat([weight_F, nothing])
    # what weighs nothing goes to the end, where no share of the weight reaches it
    sorted_F, order_F = torch.where(weight_F > 0, value_F, torch.full_like(value_F, float("inf"))).sort()
    reached_F = weight_F[order_F].cumsum(0)
    total = reached_F[-1]
    target, slack = share * total, 1e-9 * total
    last = (weight_F > 0).sum() - 1
    first = torch.minimum((reached_F < target - slack).sum(), last).clamp(min=0)
    second = torch.minimum((reached_F <= target + slack).sum(), last).clamp(min=0)
    middle = (sorted_F.index_select(0, first.reshape(1)) + sorted_F.index_select(0, second.reshape(1))) / 2
    return torch.where(total > 0, middle[0], torch.full_like(middle[0], float("nan")))
