"""Networks and facts small enough for a second."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from apps.hag.model import Hag
from apps.hag.options import Head, Streams, channels_of
from core_attention.gates import GateSet, wrap
from core_attention.trunks import build_trunk

SIDE = 48
WIDTH = {"width": 0.0625}  # 4, 8, 16 and 32 channels


def facts(planes: list[str] | None = None, view: str = "frame", classes: list[str] | None = None) -> dict[str, Any]:
    from datamodules.hag.framing import Framing, plane_names

    framing = Framing(SIDE, view, planes or [])
    return {
        "framing": framing.settings(), "planes": list(plane_names(planes or [])), "classes": classes or [], "begin": 5.0,
        "licence": "made", "spread": 0.3, "reach": 0.7,
    }  # fmt: skip


def network(
    head: str = "both", hidden: int = 8, use: tuple[str, ...] = ("rgb",), join: str = "late", planes: list[str] | None = None,
    scaled: bool = False, classes: int = 0, trunk: str = "resnet18", target: str = "log", **options: Any,
) -> Hag:  # fmt: skip
    """Batch norms have seen something, so that evaluation is not the identity of the first weights."""
    torch.manual_seed(0)
    options = options or dict(WIDTH)
    places = channels_of(Streams(use, join), planes or [])  # pyright: ignore[reportArgumentType]
    streams = {name: (build_trunk(trunk, channels=len(channels), **options), channels) for name, channels in places.items()}
    kind = Head(head, hidden)  # pyright: ignore[reportArgumentType]
    model = Hag(streams, kind, *((target, 5.0) if kind.regresses else (None, None)), classes, scaled)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(std=0.1)
                part.running_mean.normal_(std=0.1)  # pyright: ignore[reportOptionalMemberAccess]
                part.running_var.uniform_(0.5, 2.0)  # pyright: ignore[reportOptionalMemberAccess]
        for name, value in model.named_parameters():
            if name.startswith(("joins", "out")):
                value.add_(torch.randn_like(value) * 0.2)
    return model.eval()


def gated(model: Hag, sites: Sequence[str]) -> GateSet:
    """With gates anywhere between 0 and 1."""
    gates = wrap(model, sites)
    with torch.no_grad():
        for logits in gates.gate_parameters():
            logits.copy_(torch.randn(len(logits)) * 2)
    model.eval()
    return gates


def batch(count: int = 4, planes: int = 0, side: int = SIDE) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    found = {
        "images": torch.randn(count, 3, side, side, generator=draw),
        "mm": torch.rand(count, generator=draw) * 15 + 1,
        "has_mm": torch.ones(count, dtype=torch.bool),
        "censored": torch.zeros(count, dtype=torch.bool),
        "label": torch.arange(count) % 2,
        "polyp": torch.arange(count) // 2,
        "id": torch.arange(count),
    }
    return found | ({"planes": torch.rand(count, planes, side, side, generator=draw)} if planes else {})
