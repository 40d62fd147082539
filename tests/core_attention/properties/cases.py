"""Every mixer in every pattern that it declares, at sizes small enough for float64 gradients. A new mixer adds its line to VARIANTS."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from core_attention import Mixer, MixerSpec, Segments, build_mixer, list_mixers

__all__ = ["CASES", "CONTEXT", "VARIANTS", "Case", "Variant", "cases", "each"]

CONTEXT = 6  # width of the context in cross attention
PATTERNS: dict[str, dict[str, Any]] = {
    "ns": {}, "cs": {"causal": True}, "nc": {"context_dim": CONTEXT}, "cc": {"causal": True, "context_dim": CONTEXT},
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    options: dict[str, Any] = field(default_factory=dict)
    dim: int = 8
    heads: int = 2
    grid: tuple[int, int] | None = None  # of mixers that need one
    small: tuple[int, int] = (1, 1)  # the smallest grid that they take
    least: tuple[int, int] = (2, 2)  # the smallest (dim, heads)
    patterns: str = "ns cs nc cc"  # of those that the mixer has


# The first variant of each runs in `make test`, all of them in `make test-full`.
VARIANTS: dict[str, list[Variant]] = {
    "differential": [
        Variant({"depth": 1}, least=(4, 2)),
        Variant({"lambda_init": 0.3, "lambda_per_head": True, "qk_norm": True, "qkv_bias": True}, least=(4, 2)),
    ],
    "grouped_differential": [
        Variant({"ratio": 2, "depth": 1}, least=(4, 2)),
        Variant({"ratio": 1, "lambda_init": 0.3, "lambda_per_head": True, "qk_norm": True}, least=(4, 2)),
    ],
    "sigmoid": [Variant(), Variant({"logit_bias": -2.0, "learn_bias": True, "qk_norm": True}), Variant({"learn_bias": True})],
    "gpsa": [
        Variant(heads=4, grid=(3, 4), least=(1, 1)),
        Variant({"qkv_bias": True, "locality_strength": 0.1}, heads=4, grid=(4, 2), least=(1, 1)),
    ],
    "halo": [
        Variant({"block": 3, "halo": 1}, grid=(4, 5)),
        Variant({"block": 2, "halo": 1, "scale_pos_embed": True, "prefix": 1}, grid=(4, 2)),
        Variant({"block": 4, "halo": 0, "rel_pos": False, "qk_norm": True, "qkv_bias": False}, grid=(5, 3)),
    ],
    "neighborhood": [
        Variant({"kernel": 3}, grid=(5, 4), small=(3, 3), patterns="ns"),
        Variant({"kernel": 3}, grid=(1, 6), patterns="cs"),
        Variant({"kernel": 3, "dilation": 2, "qk_norm": True, "qkv_bias": False, "prefix": 1}, grid=(6, 7), small=(6, 6), patterns="ns"),
        Variant({"kernel": 5, "rel_bias": False, "prefix": 2}, grid=(5, 7), small=(5, 5), patterns="ns"),
        Variant({"kernel": 3, "dilation": 2}, grid=(1, 7), patterns="cs"),
    ],
    "affine": [Variant(), Variant({"tie": True, "qk_norm": True})],
    "biformer": [
        Variant({"regions": 2, "topk": 2}, grid=(4, 5)),
        Variant({"regions": 3, "topk": 4, "lepe": 0, "qk_dim": 4, "qkv_bias": False}, grid=(5, 4)),
        Variant({"regions": 2, "topk": 3, "lepe": 5, "scale": "dim"}, grid=(3, 3)),
    ],
    "care": [
        Variant(grid=(3, 5), least=(4, 1)),
        Variant({"attention": "strips", "conv": (5, 3), "ratio": 1}, grid=(4, 3), least=(4, 1)),
    ],
    "contmix": [
        Variant({"kernel": 5, "small": 3}, grid=(5, 6), small=(5, 5), least=(4, 1)),
        Variant({"kernel": 3, "small": 1}, grid=(4, 3), small=(3, 3), least=(4, 1)),
    ],
    "hierarchical": [Variant({"block": 2}, grid=(4, 5)), Variant({"block": 3, "qk_norm": True, "qkv_bias": False}, grid=(4, 3))],
    "hilo": [
        Variant(grid=(4, 6)),
        Variant({"ws": 3, "alpha": 0.25, "qkv_bias": False}, heads=4, grid=(5, 6), least=(2, 1)),
        Variant({"alpha": 0.0}, grid=(3, 2)),
        Variant({"alpha": 1.0}, grid=(3, 5)),
        Variant({"ws": 1}, grid=(2, 3)),
    ],
    "infsa": [Variant(), Variant({"qk_norm": True, "qkv_bias": False})],
    "infsa_linear": [Variant(), Variant({"qk_norm": True, "qkv_bias": False})],
    "linear": [Variant(), Variant({"qk_norm": True, "qkv_bias": False})],
    "lka": [Variant(heads=1, grid=(3, 5), least=(2, 1)), Variant(heads=1, grid=(13, 12), least=(1, 1))],
    "moh": [
        Variant({"keep": 0.5}, heads=4, least=(2, 2)),
        Variant({"shared": 0, "keep": 0.6, "qk_norm": True}, heads=4, least=(2, 2)),
        Variant({"shared": 2, "keep": 1.0}, heads=4, least=(4, 4)),
    ],
    "reversed": [Variant(), Variant({"message_gate": True, "qk_norm": True})],
    "routing": [Variant({"clusters": 2, "reach": 3}), Variant({"clusters": 3, "reach": 2, "qkv_bias": False})],
    "selective": [Variant(), Variant({"qk_norm": True, "qkv_bias": False})],
    "softmax": [Variant(), Variant({"qk_norm": True, "qkv_bias": False})],
    "subsampled": [Variant({"share": 0.5}), Variant({"window": 2})],
    "topk": [Variant(), Variant({"topk": 2, "context_token": True}), Variant({"topk": 0.3, "qk_norm": True, "context_token": True})],
    "ulsam": [
        Variant({"groups": 2}, heads=1, grid=(3, 5), least=(2, 1)),
        Variant({"groups": 1, "gain": "hw"}, heads=1, grid=(4, 4), least=(1, 1)),
    ],
}


@dataclass(frozen=True)
class Case:
    name: str
    pattern: str
    variant: Variant

    @property
    def spec(self) -> MixerSpec:
        return list_mixers()[self.name]

    @property
    def cross(self) -> bool:
        return self.pattern.endswith("c")

    def build(self, dim: int | None = None, heads: int | None = None, seed: int = 0, **options: Any) -> Mixer:
        """In float64 and eval mode, with weights so large that nothing is nearly linear, and none at zero."""
        everything = {**PATTERNS[self.pattern], **self.variant.options, **options}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            mixer = build_mixer(self.name, dim or self.variant.dim, heads or self.variant.heads, **everything)
        generator = torch.Generator().manual_seed(seed)
        for parameter in mixer.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
            with torch.no_grad():
                parameter.add_(noise * scale)
        return mixer.double().eval()

    def count(self, grid: tuple[int, int]) -> int:
        """Tokens that fill this grid, prefix included."""
        return self.variant.options.get("prefix", 0) + grid[0] * grid[1]

    def inputs(self, batch: int = 2, n: int | None = None, m: int = 7, seed: int = 0, dim: int | None = None) -> dict[str, Any]:
        """x, and grid or context where the case needs them."""
        grid = self.variant.grid
        n = self.count(grid) if grid is not None else (n or 5)
        rest: dict[str, Any] = {"x": tokens(batch, n, dim or self.variant.dim, seed=seed)}
        if grid is not None:
            rest["grid"] = grid
        if self.cross:
            rest["context"] = tokens(batch, m, CONTEXT, seed=seed + 1)
        return rest

    def ragged(self, lengths: list[int]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """(flat inputs with segments, each segment as a batch of one). The context's segments are twice as long."""
        x, context = tokens(sum(lengths), self.variant.dim), tokens(2 * sum(lengths), CONTEXT, seed=1)
        own, other = Segments.from_lengths(lengths), Segments.from_lengths([2 * n for n in lengths])
        flat = {"x": x, "context": context, "segments": (own, other)} if self.cross else {"x": x, "segments": own}
        parts = zip(x.split(lengths), context.split([2 * n for n in lengths]), strict=True)
        alone = [{"x": a[None], "context": b[None]} if self.cross else {"x": a[None]} for a, b in parts if len(a)]
        return flat, alone


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CASES = [
    pytest.param(
        Case(name, pattern, variant),
        id=f"{name}-{pattern}{f'-{i}' if i else ''}",
        marks=[pytest.mark.full] if i else [],
    )
    for name, variants in sorted(VARIANTS.items())
    for i, variant in enumerate(variants)
    for pattern in variant.patterns.split()
    if pattern in list_mixers()[name].patterns
]


def cases(wanted: Any = lambda case: True) -> Any:
    """Parametrise a test over the cases that `wanted` says yes to."""
    return pytest.mark.parametrize("case", [param for param in CASES if wanted(param.values[0])])


def each(wanted: Any = lambda case: True, quick: set[str] | None = None) -> Any:
    """As `cases`, for what takes seconds: `make test` runs the first pattern of each mixer, or only of those in `quick`, `make test-full`
    all."""
    seen: set[str] = set()
    params = []
    for param in CASES:
        case = param.values[0]
        if wanted(case):
            long = case.name in seen or (quick is not None and case.name not in quick)
            marks = [pytest.mark.full] if long and not param.marks else list(param.marks)
            params.append(pytest.param(case, id=param.id, marks=marks))
            seen.add(case.name)
    return pytest.mark.parametrize("case", params)
