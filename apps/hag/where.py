"""Where the polyp is, told to the network in training alone (ours): its stages' maps say it together, and learn it from the box.

Shapes: B batch, D channels, h w cells of a map.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Where", "ellipse", "where_loss"]

DIM, SCALES, FINE = 64, 3, 4  # width of the joined map; stages, from the last; points that a cell's share is counted at, along each side


class Where(nn.Module):
    """The logit of each cell of the third map from the end: is the polyp here? Coarser maps are stretched to it and added."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.sides = nn.ModuleList(nn.Conv2d(width, DIM, 1) for width in widths[-SCALES:])
        self.say = nn.Sequential(
            nn.BatchNorm2d(DIM),
            nn.ReLU(),
            nn.Conv2d(DIM, DIM, 3, padding=1, bias=False),
            nn.BatchNorm2d(DIM),
            nn.ReLU(),
            nn.Conv2d(DIM, 1, 1),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        told = [side(x_BDhw) for side, x_BDhw in zip(self.sides, maps[-SCALES:], strict=True)]
        size = told[0].shape[2:]
        joined_BDhw = torch.stack([F.interpolate(x_BDhw, size, mode="bilinear", align_corners=False) for x_BDhw in told]).sum(0)
        return self.say(joined_BDhw)[:, 0]


def ellipse(box_B4: Tensor, height: int, width: int) -> Tensor:
    """(B,height,width): the share of each cell inside the ellipse that fills the box, which is in 0..1 of the picture."""
    rows = (torch.arange(height * FINE, device=box_B4.device) + 0.5) / (height * FINE)
    columns = (torch.arange(width * FINE, device=box_B4.device) + 0.5) / (width * FINE)
    middle_B2, half_B2 = (box_B4[:, :2] + box_B4[:, 2:]) / 2, (box_B4[:, 2:] - box_B4[:, :2]).clamp(min=1e-6) / 2
    across = ((columns - middle_B2[:, :1]) / half_B2[:, :1]).square()
    along = ((rows - middle_B2[:, 1:]) / half_B2[:, 1:]).square()
    inside = (along[:, :, None] + across[:, None, :] <= 1).to(box_B4.dtype)
    return F.avg_pool2d(inside[:, None], FINE)[:, 0]


def where_loss(where_Bhw: Tensor, box_B4: Tensor, has_box_B: Tensor) -> Tensor:
    """Cross-entropy of the cells, and one minus Dice's overlap, in which small polyps do not vanish. Frames without a box take no part."""
    where_Bhw = where_Bhw.float()
    known_B = has_box_B.to(where_Bhw.dtype)
    true_Bhw = ellipse(box_B4, *where_Bhw.shape[1:])
    each_B = F.binary_cross_entropy_with_logits(where_Bhw, true_Bhw, reduction="none").mean((1, 2))
    said_Bhw = where_Bhw.sigmoid()
    overlap_B = (2 * (said_Bhw * true_Bhw).sum((1, 2)) + 1) / (said_Bhw.sum((1, 2)) + true_Bhw.sum((1, 2)) + 1)
    return ((each_B + 1 - overlap_B) * known_B).sum() / known_B.sum().clamp(min=1.0)
