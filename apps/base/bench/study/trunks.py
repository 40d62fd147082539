"""The one trunk of the study with each mixer in it. What differs is the mixer alone, at options that fit a grid of 8 x 8."""

from typing import Any

import torch
from torch import Tensor, nn

from apps.base.bench.study.pictures import GRID
from core_attention import list_mixers
from core_attention.trunks import Vit

__all__ = ["DEPTH", "HEADS", "NOTHING", "WIDTH", "arms", "build", "options_of"]

WIDTH, DEPTH, HEADS = 96, 3, 4
NOTHING = "(none)"  # no mixing at all: tokens never meet before they are averaged
OPTIONS: dict[str, dict[str, Any]] = {
    "biformer": {"regions": 4, "topk": 4},
    "halo": {"block": 4, "halo": 2},
    "hierarchical": {"block": 2},
    "neighborhood": {"kernel": 5},
    "topk": {"topk": 16},
}
OWN_HEADS = {"differential": 2, "grouped_differential": 3, "lka": 1, "ulsam": 1}  # of the same width in all
DEEPER = {"differential", "grouped_differential"}  # begin otherwise in each layer


class Nothing(nn.Module):
    """In a mixer's place: the block adds nothing but its MLP."""

    spec = list_mixers()["softmax"]

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        return torch.zeros_like(x)


def arms() -> list[str]:
    """Softmax, no mixing at all, and every other mixer of noncausal self attention."""
    others = [name for name, spec in list_mixers().items() if "ns" in spec.patterns and name != "softmax"]
    return ["softmax", NOTHING, *others]


def options_of(name: str) -> dict[str, Any]:
    """What the mixer is told besides the trunk's width and heads, for the record."""
    heads = {"heads": OWN_HEADS[name]} if name in OWN_HEADS else {}
    return {**heads, **OPTIONS.get(name, {})}


def build(name: str, side: int, classes: int, seed: int) -> nn.Sequential:
    mixer = "softmax" if name == NOTHING else name
    options = OPTIONS.get(name, {})
    trunk = Vit(
        image=side,
        patch=side // GRID,
        width=WIDTH,
        depth=DEPTH,
        heads=OWN_HEADS.get(name, HEADS),
        mlp_ratio=2.0,
        class_token=None,  # mixers of a grid take no other tokens
        mixer=mixer,
        mixer_options=[{**options, "depth": i} for i in range(DEPTH)] if name in DEEPER else options,
        init_std=None,
        generator=torch.Generator().manual_seed(seed),
    )
    if name == NOTHING:
        for block in trunk.blocks:
            block.attn = Nothing()
    torch.manual_seed(seed)
    return nn.Sequential(trunk, nn.Linear(WIDTH, classes))
