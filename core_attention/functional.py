"""The operations that the mixers are made of, as functions of tensors."""

from kernels.attend import attend
from kernels.attend.reference import weights as attention_weights

__all__ = ["attend", "attention_weights"]
