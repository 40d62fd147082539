"""Softmax attention that hands out the mean of its heads' maps besides."""

from kernels.mapped_attention.op import mapped_attention

__all__ = ["mapped_attention"]
