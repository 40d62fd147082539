"""The operations that the mixers are made of, as functions of tensors."""

from kernels.apply_transposed import apply_transposed
from kernels.attend import attend
from kernels.attend.reference import attention_map
from kernels.attend.reference import weights as attention_weights
from kernels.diff_attention import diff_attention
from kernels.diff_attention.reference import weights as diff_attention_weights
from kernels.gate_residual import gate_residual
from kernels.gated_pool import gated_pool
from kernels.gated_pool.reference import scores as gated_scores
from kernels.head_mean_map import head_mean_map
from kernels.history_attention import history_attention
from kernels.mapped_attention import mapped_attention
from kernels.paired_attention import paired_attention
from kernels.reversed_attend import reversed_attend
from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax
from kernels.sigmoid_attention import sigmoid_attention
from kernels.sigmoid_attention.reference import weights as sigmoid_attention_weights

__all__ = [
    "apply_transposed", "attend", "attention_map", "attention_weights", "diff_attention", "diff_attention_weights", "gate_residual",
    "gated_pool", "gated_scores", "head_mean_map", "history_attention", "mapped_attention", "paired_attention", "reversed_attend",
    "segment_attend", "segment_pool", "segment_softmax", "sigmoid_attention", "sigmoid_attention_weights",
]  # fmt: skip
