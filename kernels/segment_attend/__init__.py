"""Softmax over each segment of a flat tensor and the sums that it weights, in one."""

from kernels.segment_attend.op import segment_attend

__all__ = ["segment_attend"]
