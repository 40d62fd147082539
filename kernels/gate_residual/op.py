"""The public `gate_residual`. Shapes as in reference.py."""

from torch import Tensor

from kernels.dispatch import Form, Operation
from kernels.gate_residual import reference, triton_form

__all__ = ["gate_residual"]


def check(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None = None) -> None:
    if x is not None and x.shape != y.shape:
        raise ValueError(f"gate_residual: x {tuple(x.shape)} and y {tuple(y.shape)} are of one shape")
    width = y.shape[-1]
    if gate.shape not in (y.shape, (*y.shape[:-1], 1), (width,)):
        raise ValueError(
            f"gate_residual: gate {tuple(gate.shape)} does not fit y {tuple(y.shape)}; it is (..., {width}), (..., 1) or ({width},)"
        )
    if bias is not None and bias.shape not in (gate.shape, gate.shape[-1:], (1,), ()):
        raise ValueError(
            f"gate_residual: bias {tuple(bias.shape)} does not fit the gate {tuple(gate.shape)}; it is {tuple(gate.shape[-1:])}"
        )


gate_residual = Operation(reference.gate_residual, check, triton=Form(triton_form.gate_residual, triton_form.declines, triton_form.pays))
