"""The public `segment_attend`. Shapes as in reference.py: T tokens of all segments, S segments, K columns of scores, D width."""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.ragged import check_offsets
from kernels.segment_attend import reference, triton_form

__all__ = ["segment_attend"]


def check(x: Tensor, scores: Tensor, offsets: Tensor) -> None:
    if x.ndim != 2 or scores.ndim != 2 or x.shape[0] != scores.shape[0]:
        raise ValueError(f"segment_attend: x is (T, D), scores (T, K), not {tuple(x.shape)} and {tuple(scores.shape)}")
    check_offsets("segment_attend", offsets, x.shape[0])


segment_attend = Operation(reference.segment_attend, check, triton=Form(triton_form.segment_attend, triton_form.declines, triton_form.pays))
