"""Softmax over each segment of a flat tensor."""

from kernels.segment_softmax.op import segment_softmax

__all__ = ["segment_softmax"]
