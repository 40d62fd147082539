"""Every pool, at sizes small enough for float64 gradients. A new pool adds its line to VARIANTS."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from core_attention import Pool, PoolSpec, build_pool, list_pools

__all__ = ["VARIANTS", "Case", "Variant", "cases", "tokens"]

DIM = 8


@dataclass(frozen=True)
class Variant:
    options: dict[str, Any] = field(default_factory=dict)
    by_order: bool = False  # looks at the tokens' places: the first one is never hidden, and to permute them changes the answer


# The first variant of each runs in `make test`, all of them in `make test-full`.
VARIANTS: dict[str, list[Variant]] = {
    "ab_mil": [
        Variant({"hidden": 4, "branches": 2}),
        Variant({"hidden": 4, "gated": False, "act": "relu", "bias": True}),
        Variant({"hidden": 4, "bias": True}),
    ],
    "attentive": [Variant({"heads": 2, "mlp_ratio": 2.0}), Variant({"heads": 2, "qk_norm": True, "qkv_bias": False})],
    "cls": [Variant(by_order=True)],
    "ep": [Variant({"queries": 4}), Variant({"queries": 2, "d_out": 2})],
    "lama": [Variant({"heads": 2}), Variant({"heads": 3, "context": "mean"})],
    "max": [Variant()],
    "mean": [Variant()],
    "simpool": [Variant()],
}


@dataclass(frozen=True)
class Case:
    name: str
    variant: Variant

    @property
    def spec(self) -> PoolSpec:
        return list_pools()[self.name]

    def build(self, seed: int = 0, dim: int = DIM) -> Pool:
        """In float64 and eval mode, with weights so large that nothing is nearly linear, and none at zero."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            pool = build_pool(self.name, dim, **self.variant.options)
        generator = torch.Generator().manual_seed(seed)
        for parameter in pool.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            with torch.no_grad():
                parameter.add_(noise * (parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3))
        return pool.double().eval()

    def mask(self, batch: int, n: int) -> Tensor:
        """Different tokens hidden in each sample, at least one left."""
        return torch.arange(n).expand(batch, -1) % 3 != torch.arange(batch).unsqueeze(-1) % 2 + 1


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


CASES = [
    pytest.param(Case(name, variant), id=f"{name}{f'-{i}' if i else ''}", marks=[pytest.mark.full] if i else [])
    for name, variants in sorted(VARIANTS.items())
    for i, variant in enumerate(variants)
]


def cases(wanted: Any = lambda case: True) -> Any:
    """Parametrise a test over the cases that `wanted` says yes to."""
    return pytest.mark.parametrize("case", [param for param in CASES if wanted(param.values[0])])
