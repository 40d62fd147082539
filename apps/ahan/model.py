"""AHAN: a face as one vector, out of the whole (global), of its regions (hca) and of how its halves differ (faam).

Shapes: B batch, C channels, H W picture or map, h columns of a half, D width, E width of the embedding, R regions, S scales,
L blocks that saw a partner.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from apps.ahan.faam import FacialAsymmetryAttention
from apps.ahan.fusion import Fusion
from apps.ahan.hca import HierarchicalCrossAttention
from apps.ahan.options import Faam, Hca, Streams, Tapwca
from apps.ahan.stream import GlobalStream, Pairs, draw_on
from core_attention.trunks import Trunk, Vit
from datamodules.ahan.template import BOXES, REGIONS

__all__ = ["Ahan", "AhanOutput"]


class AhanOutput(NamedTuple):
    embedding: Tensor  # (B,E), rows of length 1
    global_: Tensor | None = None  # (B,D)
    regions: Tensor | None = None  # (B,R*D)
    asymmetry: Tensor | None = None  # (B,D)
    alpha: Tensor | None = None  # (R,S), the share of each scale
    differs: Tensor | None = None  # (B,H,h), how much the halves differ in each place of the map
    mass: Tensor | None = None  # (L,), share of attention that the partner got; in training
    branch: Tensor | None = None  # (B,E), the embedding of the second pass; in training


class Ahan(nn.Module):
    """
    >>> model = Ahan(build_trunk("vit_micro", image=64, patch=8, depth=2, stem="conv"), embedding=128)
    >>> model(torch.randn(2, 3, 64, 64)).embedding.shape
    torch.Size([2, 128])

    image: the side of the pictures, for a residual network. heads: of hca and faam; a transformer's own unless given.
    """

    def __init__(
        self,
        trunk: Trunk,
        embedding: int,
        streams: Streams | None = None,
        hca: Hca | None = None,
        faam: Faam | None = None,
        tapwca: Tapwca | None = None,
        image: int | None = None,
        heads: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        streams = streams or Streams()
        for name, given in (("hca", hca), ("faam", faam)):
            if given is not None and name not in streams.use:
                raise ValueError(f"{name} has options, but is not in streams.use={list(streams.use)}; add it, or leave them out")
        self.streams, self.tapwca = streams, tapwca or Tapwca(partner="none")
        self.stream = GlobalStream(trunk, streams, image, generator)
        self.layers = self.tapwca.of(self.stream.depth) if self.stream.depth else ()
        if self.tapwca.any:
            self.stream.check_paired()
        dim = trunk.dim
        std = trunk.init_std if isinstance(trunk, Vit) else None
        heads = heads or heads_of(trunk)
        self.hca = HierarchicalCrossAttention(dim, heads, hca or Hca(), std, generator) if "hca" in streams.use else None
        self.faam = (
            FacialAsymmetryAttention(dim, heads, self.stream.grid, faam or Faam(), std, generator) if "faam" in streams.use else None
        )
        if self.hca is not None:
            boxes = region_boxes(streams.boxes, self.hca.options.regions)
            self.register_buffer("boxes", torch.tensor(boxes, dtype=torch.float32), persistent=False)
            self.places = [REGIONS.index(name) for name in self.hca.options.regions if name in REGIONS]  # of its regions in a batch's boxes
        self.widths = {
            **({"global": dim} if "global" in streams.use else {}),
            **({"hca": dim * len(self.hca.options.regions)} if self.hca is not None else {}),
            **({"faam": dim} if self.faam is not None else {}),
        }
        self.fusion = Fusion(list(self.widths.values()), embedding, streams.fusion == "gated", std, generator)
        self.embedding = embedding

    def forward(self, images_BCHW: Tensor, boxes_BR4: Tensor | None = None, seen_BR: Tensor | None = None) -> AhanOutput:
        """boxes: of each image's regions, in the frame's shares; without them those of the template.

        seen: bool, False = leave the region out. Nobody sees a partner here, in training as in use.
        """
        return self._pass(images_BCHW, boxes_BR4, seen_BR, None)

    def forward_train(
        self,
        images_BCHW: Tensor,
        partner_B: Tensor | None = None,
        boxes_BR4: Tensor | None = None,
        seen_BR: Tensor | None = None,
        generator: Generator | None = None,
    ) -> AhanOutput:
        """partner: the index of each image's partner in the batch, -1: nobody. generator: decides when partners are seen."""
        if partner_B is None:
            return self.forward(images_BCHW, boxes_BR4, seen_BR)
        if not self.training:
            raise ValueError("a partner is seen in training only; this model is in eval(): leave partner out")
        if not self.layers:
            raise ValueError("this model has no blocks that see a partner: leave partner out, or set tapwca.partner and tapwca.p")
        batch, options = images_BCHW.shape[0], self.tapwca
        if partner_B.shape != (batch,) or bool(((partner_B < -1) | (partner_B >= batch)).any()):
            raise ValueError(f"partner is one index of the batch of {batch} each, or -1, not {partner_B.tolist()}")
        on_LB = draw_on(options.draw, options.p, len(self.layers), batch, generator)
        pairs = Pairs(partner_B, self.layers, on_LB, options.detach)
        if options.mode == "replace":
            return self._pass(images_BCHW, boxes_BR4, seen_BR, pairs)
        plain = self._pass(images_BCHW, boxes_BR4, seen_BR, None)
        second = self._pass(images_BCHW, boxes_BR4, seen_BR, pairs)
        return plain._replace(mass=second.mass, branch=second.embedding)

    def _pass(self, images_BCHW: Tensor, boxes_BR4: Tensor | None, seen_BR: Tensor | None, pairs: Pairs | None) -> AhanOutput:
        passed = self.stream(images_BCHW, pairs)
        vectors: dict[str, Tensor] = {}
        alpha = differs = None
        if "global" in self.widths:
            vectors["global"] = passed.token_BD
        if self.hca is not None:
            z_BRD = self.hca(passed.map_BHWD, self._boxes(boxes_BR4, images_BCHW.shape[0]), seen_BR)
            vectors["hca"], alpha = self.hca.join(z_BRD), self.hca.alpha()
        elif boxes_BR4 is not None or seen_BR is not None:
            raise ValueError("this model has no hca, which boxes and seen are for; leave them out")
        if self.faam is not None:
            vectors["faam"], differs = self.faam(passed.map_BHWD)
        embedding_BE = self.fusion(list(vectors.values()))
        return AhanOutput(
            embedding_BE, vectors.get("global"), vectors.get("hca"), vectors.get("faam"), alpha, differs, passed.mass_L
        )  # fmt: skip

    def _boxes(self, boxes_BR4: Tensor | None, batch: int) -> Tensor:
        if boxes_BR4 is None:
            return self.boxes.expand(batch, -1, -1)  # type: ignore[operator,no-any-return]
        if self.streams.boxes in ("grid", "full"):
            raise ValueError(f"streams.boxes={self.streams.boxes} has boxes of its own: leave boxes out")
        return boxes_BR4


def heads_of(trunk: Trunk) -> int:
    """Of the trunk's attention; a residual network has none (ours: 4)."""
    heads = getattr(trunk.blocks[0].attn, "heads", None) if isinstance(trunk, Vit) else None
    return heads if isinstance(heads, int) else 4


def region_boxes(source: str, regions: tuple[str, ...]) -> list[tuple[float, float, float, float]]:
    """Of images that bring none."""
    if source == "full":
        return [(0.0, 0.0, 1.0, 1.0)] * len(regions)
    if source == "grid":
        if len(regions) != 4:
            raise ValueError(f"streams.boxes=grid has four quarters, hca.regions {len(regions)} names; use four")
        return [(x, y, x + 0.5, y + 0.5) for y in (0.0, 0.5) for x in (0.0, 0.5)]
    known: dict[str, tuple[float, float, float, float]] = dict(zip(REGIONS, BOXES, strict=True))
    if unknown := [name for name in regions if name not in known]:
        raise ValueError(f"hca.regions: no region {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in regions]
