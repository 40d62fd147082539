"""Models with gates on them whose weights, statistics and gates are all unlike their beginnings."""

import torch
from torch import Tensor, nn

from core_attention.gates import GateSet, Site, wrap

__all__ = ["gated", "judged", "randomised"]


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation. Gates lie in 0..1, the first exactly 0 and the last exactly 1."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=draw)
            elif name.endswith("gate.logits"):
                tensor.normal_(0, 2, generator=draw)
                tensor[0], tensor[-1] = -1e4, 1e4
            elif tensor.is_floating_point() and not name.endswith("gate.tau"):
                if tensor.ndim > 1:
                    tensor.normal_(0, tensor[0].numel() ** -0.5, generator=draw)
                else:
                    tensor.add_(0.3 * torch.randn(tensor.shape, generator=draw))
    return model.eval()


def gated(model: nn.Module, sites: str | Site | list[str | Site], example: Tensor | None = None) -> GateSet:
    gates = wrap(model, sites, example=example)
    randomised(model)
    return gates


def judged(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model.eval()(x)
