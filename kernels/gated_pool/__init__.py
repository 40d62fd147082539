"""Pooling by a small gated network's scores, as in attention-based multiple instance learning."""

from kernels.gated_pool.op import gated_pool

__all__ = ["gated_pool"]
