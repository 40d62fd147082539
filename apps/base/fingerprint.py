"""Which model made these vectors? A hash of everything that they depend on, the same for every file that the model is exported to."""

import hashlib
import json
from typing import Any

from torch import nn

__all__ = ["fingerprint"]


def fingerprint(model: nn.Module, facts: list[Any]) -> str:
    """sha256 over the weights, in the order of their names, and over what else decides what comes out, as plain values."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        value = value.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(value.shape)} ".encode())
        digest.update((value.float() if value.is_floating_point() else value).numpy().tobytes())
    return digest.hexdigest()
