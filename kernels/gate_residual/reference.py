"""A gated residual in plain aten. `...` are any leading sizes, D is the width."""

import torch
from torch import Tensor

__all__ = ["gate_residual"]


def gate_residual(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None = None) -> Tensor:
    """x + sigmoid(gate + bias) * y; without x the gated y alone.

    x, y: (..., D). gate: (..., D), (..., 1) or (D,). bias: what broadcasts to the gate, as a rule (D,) or (1,).
    The answer has the wider dtype of x and y; in between everything is in at least float32.
    """
    full = torch.promote_types(y.dtype if x is None else torch.promote_types(x.dtype, y.dtype), torch.float32)
    logits = gate.to(full) if bias is None else gate.to(full) + bias.to(full)
    gated = logits.sigmoid() * y.to(full)
    if x is None:
        return gated.to(y.dtype)
    return (x.to(full) + gated).to(torch.promote_types(x.dtype, y.dtype))
