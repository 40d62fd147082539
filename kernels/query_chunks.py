"""A map of attention in pieces of a few queries: what the torch forms share that never hold all of it at once.

Shapes: B batch, H heads, N queries, M keys, D width, R queries of one piece.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]

from kernels.dispatch import autocast_off, is_tracing

__all__ = ["chunks", "exponentials", "loop_declines"]

# What the logits of one piece may take. On a processor about its cache; on a device so much that each launch is worth it.
CPU_BYTES, DEVICE_BYTES = 4 * 2**20, 256 * 2**20
LEAST = 16  # queries: thinner pieces cost more in launches than they save


def rows(q_BHND: Tensor, k_BHMD: Tensor) -> int:
    """R, the queries of one piece."""
    allowed = CPU_BYTES if q_BHND.device.type == "cpu" else DEVICE_BYTES
    each = q_BHND.shape[0] * q_BHND.shape[1] * k_BHMD.shape[2] * torch.promote_types(q_BHND.dtype, torch.float32).itemsize
    return max(LEAST, allowed // max(each, 1))


def chunks(step: Callable[..., Tensor], q_BHND: Tensor, k_BHMD: Tensor, *by_query: tuple[Tensor | None, int]) -> Iterator[Tensor]:
    """step(q of a piece, k, the piece of each further tensor), piece after piece.

    by_query: (tensor, its dimension of queries). None stays None, a dimension of size 1 stays whole.
    A backward pass computes each piece anew rather than keep it.
    """
    r = rows(q_BHND, k_BHMD)
    for start in range(0, q_BHND.shape[2], r):
        cut = [x if x is None or x.shape[dim] == 1 else x.narrow(dim, start, min(r, x.shape[dim] - start)) for x, dim in by_query]
        q_BHRD = q_BHND[:, :, start : start + r]
        if torch.is_grad_enabled():
            yield checkpoint(step, q_BHRD, k_BHMD, *cut, use_reentrant=False, preserve_rng_state=False)
        else:
            yield step(q_BHRD, k_BHMD, *cut)


def exponentials(q_BHRD: Tensor, k_BHMD: Tensor, lse_BHR: Tensor | None, mask: Tensor | None, scale: float | None) -> tuple[Tensor, Tensor]:
    """(e (B,H,R,M), its sums over keys (B,H,R)), the softmax being e / sums; sums are 1 and e is 0 where nothing is visible."""
    full = torch.promote_types(q_BHRD.dtype, torch.float32)
    factor: float = q_BHRD.shape[-1] ** -0.5 if scale is None else scale
    with autocast_off(q_BHRD):
        logits_BHRM = (q_BHRD.to(full) * factor) @ k_BHMD.to(full).transpose(-2, -1)
    if mask is not None and mask.dtype != torch.bool:
        logits_BHRM = logits_BHRM + mask.to(full)
    elif mask is not None:
        logits_BHRM = logits_BHRM.masked_fill_(~mask, -torch.inf)
    # Any number near the greatest logit will do, for e is divided by its sum: the gradient is then complete without the lse's own.
    top_BHR = logits_BHRM.detach().amax(-1) if lse_BHR is None else lse_BHR.detach().to(full)
    top_BHR = top_BHR.masked_fill(top_BHR == -torch.inf, 0.0)
    e_BHRM = logits_BHRM.sub_(top_BHR.unsqueeze(-1)).exp_()
    sum_BHR = e_BHRM.sum(-1)
    return e_BHRM, sum_BHR.masked_fill(sum_BHR == 0, 1.0)


def loop_declines(q_BHND: Tensor) -> str | None:
    """Why pieces are no good here: a program would have their number built in."""
    if is_tracing() or torch.compiler.is_compiling():
        return "a trace or a compiled program would have the number of pieces built in"
    return None
