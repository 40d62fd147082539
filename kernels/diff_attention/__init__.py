"""Differential attention: one softmax map minus a share of another, over the same values."""

from kernels.diff_attention.op import diff_attention

__all__ = ["diff_attention"]
