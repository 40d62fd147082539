"""Attention along the depth of a network: over what its layers said before."""

from core_attention.depth.delta_residual import DeltaResidual, Deltas
from core_attention.depth.history import HistoryAttention

__all__ = ["DeltaResidual", "Deltas", "HistoryAttention"]
