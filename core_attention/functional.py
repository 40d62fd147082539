"""The operations that the mixers are made of, as functions of tensors."""

from kernels.apply_transposed import apply_transposed
from kernels.attend import attend
from kernels.attend.reference import weights as attention_weights
from kernels.diff_attention import diff_attention
from kernels.diff_attention.reference import weights as diff_attention_weights
from kernels.head_mean_map import head_mean_map
from kernels.paired_attention import paired_attention
from kernels.reversed_attend import reversed_attend
from kernels.sigmoid_attention import sigmoid_attention
from kernels.sigmoid_attention.reference import weights as sigmoid_attention_weights

__all__ = [
    "apply_transposed", "attend", "attention_weights", "diff_attention", "diff_attention_weights", "head_mean_map",
    "paired_attention", "reversed_attend", "sigmoid_attention", "sigmoid_attention_weights",
]  # fmt: skip
