"""Softmax attention over two sets of keys at once."""

from kernels.paired_attention.op import paired_attention

__all__ = ["paired_attention"]
