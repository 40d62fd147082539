"""Sigmoid attention: every key is weighed by itself, no row is normalised."""

from kernels.sigmoid_attention.op import sigmoid_attention

__all__ = ["sigmoid_attention"]
