"""The public `segment_softmax`. Shapes as in reference.py: T tokens of all segments, S segments, K columns of scores."""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.ragged import check_offsets
from kernels.segment_softmax import reference, triton_form

__all__ = ["segment_softmax"]


def check(scores: Tensor, offsets: Tensor) -> None:
    if scores.ndim not in (1, 2) or not scores.is_floating_point():
        raise ValueError(f"segment_softmax: scores are floating point (T, K) or (T,), not {scores.dtype} {tuple(scores.shape)}")
    check_offsets("segment_softmax", offsets, scores.shape[0])


segment_softmax = Operation(
    reference.segment_softmax, check, triton=Form(triton_form.segment_softmax, triton_form.declines, triton_form.pays)
)
