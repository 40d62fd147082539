"""Weighted sums over each segment of a flat tensor."""

from kernels.segment_pool.op import segment_pool

__all__ = ["segment_pool"]
