"""Attention of each node over its own states through the depth of a network."""

from kernels.history_attention.op import history_attention
from kernels.history_attention.reference import guard_hits

__all__ = ["guard_hits", "history_attention"]
