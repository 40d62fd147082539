"""HCA: face regions ask the whole face, at several scales (section 2.2).

Shapes: B batch, H W the map, D width, R regions, S scales, G side of a region, n queries of a region, N keys.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from apps.ahan.options import Hca
from apps.ahan.roi import crop
from core_attention import build_mixer
from core_attention.blocks.init import initialise
from kernels.dispatch import is_tracing

__all__ = ["HierarchicalCrossAttention", "check_boxes"]

SIDE = 4  # of a region (roi)
COARSE = 2  # of a region on a smaller map (pyramid)


class HierarchicalCrossAttention(nn.Module):
    """
    >>> hca = HierarchicalCrossAttention(64, 4, Hca())
    >>> hca(torch.randn(2, 8, 8, 64), torch.tensor([[[0.2, 0.3, 0.8, 0.6]] * 4] * 2)).shape
    torch.Size([2, 4, 64])
    """

    def __init__(self, dim: int, heads: int, options: Hca, std: float | None = None, generator: Generator | None = None) -> None:
        super().__init__()
        if options.preset == "roi" and (wrong := [scale for scale in options.scales if SIDE % scale]):
            raise ValueError(f"hca.scales: {wrong[0]} does not divide {SIDE}, the side of a region; use preset=pyramid or another scale")
        self.options = options
        regions, scales = len(options.regions), len(options.scales)
        # ours: the norms are the same for all regions and scales; what share=none keeps apart is attention
        self.norm_query = nn.LayerNorm(dim, eps=1e-6)
        self.norm_context = nn.LayerNorm(dim, eps=1e-6)
        self.norm_out = nn.LayerNorm(dim, eps=1e-6)
        number = {"none": regions * scales, "scale": scales, "all": 1}[options.share]
        self.attn = nn.ModuleList(build_mixer("softmax", dim, heads, context_dim=dim) for _ in range(number))
        initialise(self, generator, std)
        self.missing = nn.Parameter(torch.zeros(regions, dim))  # stands in for a region that is left out
        self.scale_weight: nn.Parameter | None = None
        if options.scale_weight == "learned":
            self.scale_weight = nn.Parameter(torch.zeros(regions, scales))
        else:
            shares = [1 / scales] * scales if isinstance(options.scale_weight, str) else list(options.scale_weight)
            self.register_buffer("fixed", torch.tensor([shares] * regions), persistent=False)

    def alpha(self) -> Tensor:
        """The share of each scale in each region, (R,S)."""
        return self.fixed if self.scale_weight is None else self.scale_weight.softmax(-1)  # type: ignore[return-value]

    def forward(self, map_BHWD: Tensor, boxes_BR4: Tensor, seen_BR: Tensor | None = None) -> Tensor:
        """z (B,R,D). seen: bool, False = leave the region out, as is one whose box lies outside of the frame."""
        check_boxes(boxes_BR4, self.options.regions)
        inside_BR = (boxes_BR4[..., :2] < 1).all(-1) & (boxes_BR4[..., 2:] > 0).all(-1)
        seen_BR = inside_BR if seen_BR is None else inside_BR & seen_BR
        y_BRSD = torch.stack([self._scale(i, map_BHWD, boxes_BR4) for i in range(len(self.options.scales))], 2)
        z_BRD = (self.alpha()[..., None].to(y_BRSD.dtype) * y_BRSD).sum(2)
        return torch.where(seen_BR[..., None], z_BRD, self.missing.to(z_BRD.dtype))

    def join(self, z_BRD: Tensor) -> Tensor:
        """z_h (B,R*D): the regions side by side, each normalised."""
        return self.norm_out(z_BRD).flatten(1)

    def _scale(self, i: int, map_BHWD: Tensor, boxes_BR4: Tensor) -> Tensor:
        """y at one scale, (B,R,D)."""
        scale = self.options.scales[i]
        if self.options.preset == "roi":
            region_BRGGD = crop(map_BHWD, boxes_BR4, SIDE)
            q_BRnD = region_BRGGD.unflatten(3, (-1, scale)).unflatten(2, (-1, scale)).mean((3, 5)).flatten(2, 3)
        else:
            map_BHWD = avg_pool2d(map_BHWD.permute(0, 3, 1, 2), scale, ceil_mode=True).permute(0, 2, 3, 1)
            q_BRnD = crop(map_BHWD, boxes_BR4, COARSE).flatten(2, 3)
        asked_BRnD, context_BND = self.norm_query(q_BRnD), self.norm_context(map_BHWD.flatten(1, 2))
        if self.options.share == "none":
            attn = [self.attn[r * len(self.options.scales) + i] for r in range(len(self.options.regions))]
            o_BRnD = torch.stack([each(asked_BRnD[:, r], context_BND) for r, each in enumerate(attn)], 1)
        else:
            attn = self.attn[i if self.options.share == "scale" else 0]
            o_BRnD = attn(asked_BRnD.flatten(1, 2), context_BND).unflatten(1, asked_BRnD.shape[1:3])
        return (q_BRnD + o_BRnD).mean(2)  # ours: the residual keeps the region's own content


def check_boxes(boxes_BR4: Tensor, regions: tuple[str, ...]) -> None:
    """Refuse boxes that are none, by region and row. Left out of a trace, which may not depend on values."""
    if is_tracing() or torch.compiler.is_compiling():
        return
    if boxes_BR4.ndim != 3 or boxes_BR4.shape[1:] != (len(regions), 4):
        raise ValueError(f"boxes are (B, {len(regions)}, 4), one for each of {', '.join(regions)}, not {tuple(boxes_BR4.shape)}")
    right_BR = boxes_BR4.isfinite().all(-1) & (boxes_BR4[..., 2:] > boxes_BR4[..., :2]).all(-1)
    if not bool(right_BR.all()):
        row, region = (~right_BR).nonzero()[0].tolist()
        box = ", ".join(f"{value:g}" for value in boxes_BR4[row, region].tolist())
        raise ValueError(f"box of {regions[region]} in row {row} is ({box}); x0 < x1 and y0 < y1, as shares of the frame")
