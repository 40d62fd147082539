"""What the gates do while they learn, as numbers that a run keeps: how open those of each place are, and single ones where they are few."""

import torch
from torch import Tensor

from core_attention.gates import GateSet

__all__ = ["BANDS", "FEW", "GATE", "watched"]

GATE = "gate/"  # the prefix of a curve
FEW = 32  # gates of a place that are told one by one
BANDS = {"least": 0.0, "low": 0.1, "middle": 0.5, "high": 0.9, "most": 1.0}  # quantiles of the gates of a place


def watched(gates: GateSet) -> dict[str, Tensor]:
    """By `gate/PLACE/NAME`: quantiles of the values of a place, or each value where there are few."""
    found: dict[str, Tensor] = {}
    for name, value_C in gates.values().items():
        if len(value_C) <= FEW:
            found |= {f"{GATE}{name}/{channel}": value for channel, value in enumerate(value_C)}
        else:
            at = torch.tensor(list(BANDS.values()), device=value_C.device, dtype=value_C.dtype)
            found |= {f"{GATE}{name}/{band}": value for band, value in zip(BANDS, value_C.quantile(at), strict=True)}
    return found
