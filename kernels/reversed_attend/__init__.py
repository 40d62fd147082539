"""Reversed attention: each key's sum of what the queries send it."""

from kernels.reversed_attend.op import reversed_attend

__all__ = ["reversed_attend"]
