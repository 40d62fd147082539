"""The three sizes of AHAN (section 2.0): trunk, width of the embedding, options and losses that belong together."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import Generator

from apps.ahan.model import Ahan
from apps.ahan.options import Faam, Hca, Losses, Streams, Tapwca
from core_attention.trunks import ResNet, build_trunk, fits_picture

__all__ = ["PRESETS", "Preset", "Size", "build"]

Size = Literal["tiny", "small", "paper"]


@dataclass(frozen=True)
class Preset:
    image: int
    trunk: str
    embedding: int
    hca: Hca
    faam: Faam
    losses: Losses
    trunk_options: dict[str, Any] = field(default_factory=dict)


PRESETS: dict[Size, Preset] = {
    "tiny": Preset(
        64, "vit_micro", 128, Hca(share="all"), Faam(), Losses(0.1, 16.0, 0.0, contrastive=1.0),
        {"patch": 8, "width": 64, "depth": 2, "heads": 4, "stem": "conv"},
    ),
    # ours: the contrastive loss of tiny, as ArcFace alone did not leave chance from nothing
    "small": Preset(
        112, "vit_mini", 256, Hca(share="scale"), Faam(), Losses(1.0, 32.0, 0.3, warmup=0.2, contrastive=1.0),
        {"patch": 8, "width": 192, "depth": 6, "heads": 6, "stem": "patch"},
    ),
    "paper": Preset(224, "vit_base", 512, Hca(share="none"), Faam(mode="abs"), Losses(), {"drop_path": 0.1}),
}  # fmt: skip


def build(
    size: Size,
    trunk: str | None = None,
    trunk_options: dict[str, Any] | None = None,
    streams: Streams | None = None,
    hca: Hca | None = None,
    faam: Faam | None = None,
    tapwca: Tapwca | None = None,
    image: int | None = None,
    embedding: int | None = None,
    seed: int = 0,
) -> Ahan:
    """The network of that size with new weights; what is given takes the place of the preset's.

    trunk: another one by name, with none of the preset's trunk options. A residual network has no class token: its vector is the mean.

    >>> model = build("tiny", tapwca=Tapwca())
    """
    preset = PRESETS[size]
    streams = streams or Streams()
    name, side = trunk or preset.trunk, image or preset.image
    options = {**(preset.trunk_options if trunk is None else {}), **fits_picture(name, (side, side)), **(trunk_options or {})}
    made = build_trunk(name, seed, **options)
    if isinstance(made, ResNet) and streams == Streams():
        streams = replace(streams, pool="mean")
    return Ahan(
        made,
        embedding or preset.embedding,
        streams,
        hca or (preset.hca if "hca" in streams.use else None),
        faam or (preset.faam if "faam" in streams.use else None),
        tapwca,
        side if isinstance(made, ResNet) else None,
        generator=Generator().manual_seed(seed),
    )
