"""A rectangle of a map as a small grid: bilinear samples, averaged by bin, at the places where torchvision's roi_align takes them.

A box has straight sides, so that the samples of rows and of columns are two small matrices: differentiable, and plain to export.

Shapes: B batch, R boxes, H W the map, D width, G the side of the small grid, N one side of the map.
"""

import torch
from torch import Tensor

from core_attention.grids import steps

__all__ = ["crop"]

SAMPLES = 2  # along each side of a bin


def crop(map_BHWD: Tensor, boxes_BR4: Tensor, side: int) -> Tensor:
    """(B,R,G,G,D). Boxes are x0, y0, x1, y1 as shares of the frame; what lies outside of it counts as zero."""
    boxes_BR4 = boxes_BR4.to(map_BHWD.dtype)
    x0_BR, y0_BR, x1_BR, y1_BR = boxes_BR4.unbind(-1)
    rows_BRGH = _weights(y0_BR, y1_BR, map_BHWD.shape[1], side)
    columns_BRGW = _weights(x0_BR, x1_BR, map_BHWD.shape[2], side)
    batch, boxes, width = map_BHWD.shape[0], boxes_BR4.shape[1], map_BHWD.shape[2]
    tall_BRGWD = torch.bmm(rows_BRGH.flatten(1, 2), map_BHWD.flatten(2)).reshape(batch, boxes, side, width, map_BHWD.shape[3])
    wide_XWY = tall_BRGWD.transpose(2, 3).reshape(batch * boxes, width, side * map_BHWD.shape[3])
    return torch.bmm(columns_BRGW.flatten(0, 1), wide_XWY).reshape(batch, boxes, side, side, map_BHWD.shape[3]).transpose(2, 3)


def _weights(low_BR: Tensor, high_BR: Tensor, length: int, side: int) -> Tensor:
    """How much of each row of the map is in each bin, (B,R,G,N)."""
    share_K = (steps(low_BR, side * SAMPLES).to(low_BR.dtype) + 0.5) / (side * SAMPLES)
    at_BRK = (low_BR[..., None] + (high_BR - low_BR)[..., None] * share_K) * length - 0.5
    inside_BRK = (at_BRK >= -1) & (at_BRK <= length)
    places_N = steps(low_BR, length).to(low_BR.dtype)
    near_BRKN = (1 - (at_BRK.clamp(0, length - 1)[..., None] - places_N).abs()).clamp(min=0)
    return (near_BRKN * inside_BRK[..., None]).unflatten(2, (side, SAMPLES)).mean(3)
