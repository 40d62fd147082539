"""What a model costs: parameters, and multiply-adds of one call."""

from typing import NamedTuple

from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core_attention.gates.graph import Example, outputs_of
from kernels.dispatch import use_backend

__all__ = ["Cost", "cost"]


class Cost(NamedTuple):
    parameters: int
    macs: int  # of matrix products and convolutions, for all items of the example


def cost(model: nn.Module, example: Example) -> Cost:
    """In evaluation mode; the model's mode is left as it was."""
    training = model.training
    try:
        with use_backend("reference"), FlopCounterMode(display=False) as counted:
            outputs_of(model.eval(), example)
    finally:
        model.train(training)
    return Cost(sum(p.numel() for p in model.parameters()), counted.get_total_flops() // 2)
