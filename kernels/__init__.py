"""Fused operations. Importing this package loads torch only; an operation is a folder: `from kernels.attend import attend`."""

from kernels.dispatch import explain, use_backend

__all__ = ["explain", "use_backend"]
