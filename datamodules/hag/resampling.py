"""A window of a picture, shrunk or enlarged into a part of a square: by torch's own operation, and while a program is exported by two
matrices. That operation takes its sizes as numbers, and a file with a size in it would read frames of that size alone.

Shapes: C channels, H W what is read, S side of what is written. Windows and extents are (x, y) in whole pixels, int64.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["lit", "resampled"]


def resampled(x_CHW: Tensor, window_4: Tensor, shown_2: Tensor, corner_2: Tensor, size: int) -> Tensor:
    """(C,S,S): the window (x0, y0, x1, y1) as large as `shown` with its corner at `corner`, bilinear and antialiased; 0 around it."""
    if not torch.jit.is_scripting():  # noqa: SIM102  # pyright: ignore[reportPrivateImportUsage]
        if torch.compiler.is_exporting():
            return by_matrices(x_CHW, window_4, shown_2, corner_2, size)
    x0, y0, x1, y1 = int(window_4[0]), int(window_4[1]), int(window_4[2]), int(window_4[3])
    columns, rows, left, top = int(shown_2[0]), int(shown_2[1]), int(corner_2[0]), int(corner_2[1])
    x_CHW = x_CHW[:, y0:y1, x0:x1]
    if x_CHW.shape[1] != rows or x_CHW.shape[2] != columns:
        x_CHW = F.interpolate(x_CHW.unsqueeze(0), size=[rows, columns], mode="bilinear", antialias=True, align_corners=False)[0]
    return F.pad(x_CHW, [left, size - columns - left, top, size - rows - top])


def lit(pixels_CHW: Tensor, window_4: Tensor, dark: float) -> Tensor:
    """How many pixels of the window are brighter than that in some channel."""
    bright_HW = (pixels_CHW.amax(0) > dark).to(torch.float32)
    inside_H = within(bright_HW.shape[0], window_4[1], window_4[3])
    inside_W = within(bright_HW.shape[1], window_4[0], window_4[2])
    return (bright_HW * inside_H.unsqueeze(1) * inside_W.unsqueeze(0)).sum()


def by_matrices(x_CHW: Tensor, window_4: Tensor, shown_2: Tensor, corner_2: Tensor, size: int) -> Tensor:
    columns_SW = weights(x_CHW.shape[2], window_4[0], window_4[2], shown_2[0], corner_2[0], size)
    rows_SH = weights(x_CHW.shape[1], window_4[1], window_4[3], shown_2[1], corner_2[1], size)
    return rows_SH @ (x_CHW @ columns_SW.transpose(0, 1))


def weights(read: int, low: Tensor, high: Tensor, shown: Tensor, corner: Tensor, size: int) -> Tensor:
    """(S, read): how much of each pixel goes into each, step by step in float32 as torch does it."""
    at_R = (torch.arange(read, device=low.device) - low).to(torch.float32)
    to_S = torch.arange(size, device=low.device) - corner
    scale = (high - low).to(torch.float32) / shown.to(torch.float32)
    away_SR = at_R.unsqueeze(0) - (scale * (to_S.to(torch.float32) + 0.5)).unsqueeze(1) + 0.5
    triangle_SR = (1.0 - (away_SR / scale.clamp(min=1.0)).abs()).clamp(min=0.0) * within(read, low, high).unsqueeze(0)
    triangle_SR = triangle_SR * within(size, corner, corner + shown).unsqueeze(1)
    return triangle_SR / triangle_SR.sum(1, keepdim=True).clamp(min=1e-6)


def within(count: int, low: Tensor, high: Tensor) -> Tensor:
    """Ones at the places from low to below high, zeros elsewhere."""
    at = torch.arange(count, device=low.device)
    return ((at >= low) & (at < high)).to(torch.float32)
