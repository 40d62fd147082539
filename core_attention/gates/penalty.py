"""The price of open gates."""

import torch
from torch import Tensor

from core_attention.gates.gate_set import GateSet

__all__ = ["penalty"]


def penalty(gates: GateSet) -> Tensor:
    """Mean openness over all channels of all gates that are on (HAG 2.1, last column, before lambda). Its gradient reaches gates only."""
    on = [gate for gate in gates.gates.values() if gate.hardness != "off"]
    if not on:
        return gates.gate_parameters()[0].detach().sum() * 0.0
    return torch.stack([gate.penalty() * gate.channels for gate in on]).sum() / sum(gate.channels for gate in on)
