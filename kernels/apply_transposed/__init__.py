"""A row of weights over queries, carried through a softmax map to the keys: one step of a rollout."""

from kernels.apply_transposed.op import apply_transposed

__all__ = ["apply_transposed"]
