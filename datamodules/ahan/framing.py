"""The pixels of an aligned face: torch only and scriptable, so that training, evaluation and the exported program frame alike.

Matrices are (2,3) float64 and bring (x, y) of the photograph's pixel centres to those of the frame.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["frame", "solve", "whole"]


def solve(points_52: Tensor, target_52: Tensor) -> Tensor:
    """The rotation, uniform scale and shift nearest to `target`, by least squares and never a reflection: template.similarity in torch.

    In the plane Umeyama's answer is a quotient of complex numbers, which needs no singular vectors.
    """
    src, dst = points_52.to(torch.float64), target_52.to(torch.float64)
    if src.shape != dst.shape:
        raise RuntimeError("points are five (x, y): eye left, eye right, nose, mouth left, mouth right, in the picture's pixels")
    src_c, dst_c = src - src.mean(0), dst - dst.mean(0)
    spread = (src_c * src_c).sum()
    xx, yy, xy = (src_c[:, 0] ** 2).sum(), (src_c[:, 1] ** 2).sum(), (src_c[:, 0] * src_c[:, 1]).sum()
    # the spread across the points' main direction by that along it, squared
    root = torch.sqrt((xx - yy) ** 2 + 4 * xy**2)
    flat = bool((spread - root) <= 1e-6 * (spread + root))
    if not bool(torch.isfinite(src).all()) or bool(spread <= 1e-12) or flat:
        raise RuntimeError("points that are no numbers, coincide or lie on one line: detect the face again")
    a = (src_c * dst_c).sum() / spread
    b = (src_c[:, 0] * dst_c[:, 1] - src_c[:, 1] * dst_c[:, 0]).sum() / spread
    turn = torch.stack([torch.stack([a, -b]), torch.stack([b, a])])
    return torch.cat([turn, (dst.mean(0) - turn @ src.mean(0)).unsqueeze(1)], 1)


def frame(image: Tensor, matrix_23: Tensor, size: int) -> Tensor:
    """uint8 (H,W,3) -> uint8 (size,size,3), bilinear, black where the photograph ends; a scale below 0.5 by areas first."""
    matrix = matrix_23.to(torch.float64)
    back = torch.linalg.inv(matrix[:, :2])
    ends = torch.tensor([[-1.0, -1.0], [size, -1.0], [-1.0, size], [size, size]], dtype=torch.float64, device=matrix.device)
    corners = (ends - matrix[:, 2]) @ back.T
    scale = float(torch.sqrt(matrix[0, 0] ** 2 + matrix[1, 0] ** 2))
    by = 1 if scale >= 0.5 else int(torch.ceil(torch.tensor(0.5 / scale)))
    # only the part that the frame shows, and a margin for the neighbours of its outermost pixels
    margin = 2.0 * by
    left = min(max(int(corners[:, 0].min() - margin), 0), image.shape[1] - 1)
    top = min(max(int(corners[:, 1].min() - margin), 0), image.shape[0] - 1)
    right = max(min(int(corners[:, 0].max() + margin) + 1, image.shape[1]), left + 1)
    lower = max(min(int(corners[:, 1].max() + margin) + 1, image.shape[0]), top + 1)
    x = image[top:lower, left:right].permute(2, 0, 1).to(torch.float32).unsqueeze(0)
    if by > 1:
        x = F.avg_pool2d(x, by, ceil_mode=True, count_include_pad=False)
    # pixel q of the part is by * q + (by - 1) / 2 + its corner in the photograph
    row = torch.arange(size, dtype=torch.float64, device=matrix.device)
    places = torch.stack([row.unsqueeze(0).expand(size, size), row.unsqueeze(1).expand(size, size)], 2)
    source = (places - matrix[:, 2]) @ back.T
    corner = torch.tensor([left, top], dtype=torch.float64, device=matrix.device)
    pixel = (source - corner - (by - 1) / 2) / by
    sides = torch.tensor([x.shape[3], x.shape[2]], dtype=torch.float64, device=matrix.device)
    grid = ((2 * pixel + 1) / sides - 1).to(torch.float32).unsqueeze(0)
    framed = F.grid_sample(x, grid.to(x.device), mode="bilinear", padding_mode="zeros", align_corners=False)
    return framed[0].clamp(0, 255).round().permute(1, 2, 0).to(torch.uint8)


def whole(image: np.ndarray, size: int) -> np.ndarray:
    """A picture that is a face's frame already, uint8 (H,W,3) -> uint8 (size,size,3), by the rule of datamodules.preprocess."""
    if image.shape[:2] == (size, size):
        return image
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).to(torch.float32).unsqueeze(0)
    x = F.interpolate(x, size=[size, size], mode="bilinear", antialias=True, align_corners=False)
    return x[0].clamp(0, 255).round().permute(1, 2, 0).to(torch.uint8).numpy()
