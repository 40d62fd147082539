"""Trunks by name: pictures to features.

>>> trunk = build_trunk("vit_tiny", image=448, seed=0)
>>> vector = trunk(torch.randn(2, 3, 448, 448))
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator

from core_attention.registry import call_with_options, nearest
from core_attention.trunks.duo import DuoTrunk
from core_attention.trunks.load import LoadReport, load
from core_attention.trunks.moat import MoatTrunk
from core_attention.trunks.resnet import RESNETS, ResNet
from core_attention.trunks.trunk import Trunk
from core_attention.trunks.vit import Vit

__all__ = ["TRUNKS", "DuoTrunk", "LoadReport", "MoatTrunk", "ResNet", "Trunk", "Vit", "build_trunk", "fits_picture", "load"]

TRUNKS: dict[str, tuple[type[Vit] | type[ResNet] | type[MoatTrunk] | type[DuoTrunk], dict[str, Any]]] = {
    # ours: the small ones begin by their fan-in. 0.02 is timm's for widths of hundreds; at 64 some seeds do not learn in time with it
    "vit_micro": (Vit, {"image": 48, "patch": 6, "width": 64, "depth": 4, "heads": 4, "init_std": None}),
    "vit_mini": (Vit, {"image": 96, "patch": 8, "width": 192, "depth": 6, "heads": 3, "stem": "conv", "init_std": None}),
    "vit_tiny": (Vit, {"width": 192, "depth": 12, "heads": 3}),
    "vit_small": (Vit, {"width": 384, "depth": 12, "heads": 6}),
    "vit_base": (Vit, {"width": 768, "depth": 12, "heads": 12}),
    **{name: (ResNet, options) for name, options in RESNETS.items()},
    "hybrid_mini": (
        Vit,
        {"image": 96, "patch": 8, "width": 192, "depth": 4, "heads": 3, "stem": "resnet18_half", "init_std": None},
    ),
    "hybrid_small": (Vit, {"width": 384, "depth": 12, "heads": 6, "stem": "resnet50"}),
    "moat_micro": (MoatTrunk, {"depths": (1, 1, 2, 2), "strides": (2, 2, 1, 2)}),  # pictures of 96 px end at 12x12 and 6x6 tokens
    "moat_tiny": (MoatTrunk, {}),
    "duo_mini": (DuoTrunk, {"image": 96, "network": "resnet18_half", "stages": (2, 3, 4), "width": 192, "depth": 2, "heads": 3}),
    "duo_small": (DuoTrunk, {}),
}


def build_trunk(name: str, seed: int | None = None, **options: Any) -> Trunk:
    """A trunk with new weights. Options override those of the name; see Vit, ResNet, MoatTrunk, DuoTrunk.

    seed: else torch's own generator decides.
    """
    if name not in TRUNKS:
        raise ValueError(f"no trunk {name!r}{nearest(name, TRUNKS)}; there are {', '.join(TRUNKS)}")
    make, preset = TRUNKS[name]
    if seed is None:
        return call_with_options(make, f"trunk {name!r}", {**preset, **options}, generator=None)
    # Mixers draw parameters of their own from torch's generator when they are built.
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        return call_with_options(make, f"trunk {name!r}", {**preset, **options}, generator=Generator().manual_seed(seed))


def fits_picture(name: str, size: Sequence[int]) -> dict[str, Any]:
    """The option that builds a trunk for pictures of (height, width): a transformer's positions are of one size, a network takes any."""
    return {"image": (size[0], size[1])} if name in TRUNKS and TRUNKS[name][0].fixed_size else {}
