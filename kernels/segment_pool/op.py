"""The public `segment_pool`. Shapes as in reference.py: T tokens of all segments, S segments, K columns of weights, D width."""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.ragged import check_offsets
from kernels.segment_pool import reference, triton_form

__all__ = ["segment_pool"]


def check(x: Tensor, weights: Tensor, offsets: Tensor) -> None:
    if x.ndim != 2 or weights.ndim != 2 or x.shape[0] != weights.shape[0]:
        raise ValueError(f"segment_pool: x is (T, D), weights (T, K), not {tuple(x.shape)} and {tuple(weights.shape)}")
    check_offsets("segment_pool", offsets, x.shape[0])


segment_pool = Operation(reference.segment_pool, check, triton=Form(triton_form.segment_pool, triton_form.declines, triton_form.pays))
