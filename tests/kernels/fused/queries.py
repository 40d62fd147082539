"""What the tests of the Triton forms on queries and keys share: masks on the device, and tensors that lie in memory in other ways."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["LAYOUTS", "on", "seen_lse"]


def on(mask: Tensor | None, x: Tensor, dtype: torch.dtype) -> Tensor | None:
    """The mask where x is, a float one rounded to the dtype under test."""
    return None if mask is None else mask.to(x.device) if mask.dtype == torch.bool else mask.to(x.device, dtype)


def seen_lse(q: Tensor, k: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """The log-sum-exp of the logits, in at least float32, from float64."""
    logits = q.detach().double() @ k.detach().double().mT * scale
    if mask is not None:
        logits = logits + mask if mask.is_floating_point() else logits.masked_fill(~mask, -torch.inf)
    return logits.logsumexp(-1).to(torch.promote_types(q.dtype, torch.float32))


def among_nan(x: Tensor) -> Tensor:
    """x as a part of a larger tensor whose other values are not numbers."""
    larger = x.new_full([size + 2 for size in x.shape], torch.nan)
    inner = larger[tuple(slice(1, -1) for _ in x.shape)]
    inner.copy_(x)
    return inner


# Each gives equal numbers that lie otherwise.
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "heads inside": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "every other number of a row": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "columns": lambda x: x.mT.contiguous().mT,
    "among NaN": among_nan,
}
