"""Softmax attention: each query's mean of the values, weighted by its likeness to the keys."""

from kernels.attend.op import attend

__all__ = ["attend"]
