"""A gated residual: x + sigmoid(gate + bias) * y."""

from kernels.gate_residual.op import gate_residual

__all__ = ["gate_residual"]
