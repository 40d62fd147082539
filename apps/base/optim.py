"""The optimiser and its schedule: AdamW, no decay on norms, biases, gates and loss weights; warm-up and cosine counted in steps."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["Optim", "constant_with_warmup", "cosine_with_warmup", "parameter_groups"]


@dataclass
class Optim:
    """How a task is optimised.

    Args:
        lr: Peak learning rate.
        weight_decay: Decoupled decay of matrices and kernels; vectors and scalars never decay.
        warmup: Share of all steps in which the rate rises linearly.
        floor: Share of the peak rate at the last step.
        betas: AdamW's averages.
        layer_decay: Factor on the rate per layer group, counted from the output; 1 is one rate for all.
        freeze: Layer groups, counted from the input, that stay as they are.
    """

    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    floor: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    layer_decay: float = 1.0
    freeze: int = 0

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"optim.lr must be positive, not {self.lr}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"optim.warmup is a share of all steps, in [0, 1), not {self.warmup}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"optim.layer_decay must be in (0, 1], not {self.layer_decay}")

    def optimizer(
        self,
        model: nn.Module,
        layers: Sequence[Sequence[str]],
        no_decay: Iterable[str] = (),
        rates: Mapping[str, float] | None = None,
        fused: bool = True,
    ) -> torch.optim.AdamW:
        """`rates`: factors on the rate of parameters with a name prefix. `fused`: one kernel instead of several for each parameter."""
        groups = parameter_groups(model, self, layers, no_decay, rates)
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, fused=fused)


def parameter_groups(
    model: nn.Module,
    optim: Optim,
    layers: Sequence[Sequence[str]],
    no_decay: Iterable[str] = (),
    rates: Mapping[str, float] | None = None,
) -> list[dict]:
    """Groups of equal rate and decay. `layers` are name prefixes from input to output; what no prefix claims is the output's."""
    if not 0 <= optim.freeze <= len(layers):
        raise ValueError(f"optim.freeze={optim.freeze}, but the model has {len(layers)} layer groups to freeze")
    exempt = tuple(no_decay)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        depth = next((i for i, prefixes in enumerate(layers) if name.startswith(tuple(prefixes))), len(layers))
        if depth < optim.freeze:
            parameter.requires_grad_(False)
        if not parameter.requires_grad:
            continue
        factor = next((factor for prefix, factor in (rates or {}).items() if name.startswith(prefix)), 1.0)
        rate = optim.lr * factor * optim.layer_decay ** (len(layers) - depth)
        vector = parameter.ndim < 2 or name.startswith(exempt)
        groups.setdefault((rate, 0.0 if vector else optim.weight_decay), []).append(parameter)
    if not groups:
        raise ValueError(f"optim.freeze={optim.freeze} leaves nothing to train")
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def cosine_with_warmup(step: int, total: int, warmup: float, floor: float) -> float:
    """Factor on the peak rate at a step: linear from 0, then cosine to `floor` at `total`."""
    rise = max(1, round(total * warmup)) if warmup > 0 else 0
    if step < rise:
        return (step + 1) / rise
    progress = min(1.0, (step - rise) / max(1, total - rise))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def constant_with_warmup(step: int, total: int, warmup: float) -> float:
    """Factor on the rate at a step: linear from 0, then 1."""
    return min(1.0, (step + 1) / max(1, round(total * warmup)))
