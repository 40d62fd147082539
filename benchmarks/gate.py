"""No time for a wrong answer: forms that are timed against each other must agree, in answers and gradients, at the measured size."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["check_same"]


def check_same(ours: Callable[[], Tensor], theirs: Callable[[], Tensor], wanted: Sequence[Tensor]) -> None:
    """In float32 sums of another order differ: what counts is the error beside the size of the whole."""
    found = []
    for form in (ours, theirs):
        answer = form()
        found.append([answer.detach(), *torch.autograd.grad(answer.square().sum(), wanted)])
    floor = 1e-4 * max(float(value.norm()) for value in found[1])  # some gradients are zero but for rounding
    for i, (one, other) in enumerate(zip(*found, strict=True)):
        share = float((one - other).norm() / other.norm().clamp(min=floor))
        if not share < 1e-2:
            raise AssertionError(f"{'the answers differ' if i == 0 else f'gradients of input {i} differ'} by {share:.1e} of their size")
