"""The operations that the mixers are made of, as functions of tensors."""

from kernels.attend import attend
from kernels.attend.reference import weights as attention_weights
from kernels.gate_residual import gate_residual
from kernels.gated_pool import gated_pool
from kernels.gated_pool.reference import scores as gated_scores
from kernels.history_attention import history_attention
from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax

__all__ = [
    "attend", "attention_weights", "gate_residual", "gated_pool", "gated_scores", "history_attention", "segment_attend", "segment_pool",
    "segment_softmax",
]  # fmt: skip
