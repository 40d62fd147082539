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
    if _eager():
        xx, yy, xy = (src_c[:, 0] * src_c[:, 0]).sum(), (src_c[:, 1] * src_c[:, 1]).sum(), (src_c[:, 0] * src_c[:, 1]).sum()
        across = spread - torch.sqrt((xx - yy) * (xx - yy) + 4 * xy * xy)  # twice the spread across the points' main direction, squared
        if not bool(torch.isfinite(src).all()) or bool(spread <= 1e-12) or bool(across <= 1e-6 * spread):
            raise RuntimeError("points that are no numbers, coincide or lie on one line: detect the face again")
    a = (src_c * dst_c).sum() / spread
    b = (src_c[:, 0] * dst_c[:, 1] - src_c[:, 1] * dst_c[:, 0]).sum() / spread
    turn = torch.stack([torch.stack([a, -b]), torch.stack([b, a])])
    return torch.cat([turn, (dst.mean(0) - turn @ src.mean(0)).unsqueeze(1)], 1)


def frame(image: Tensor, matrix_23: Tensor, size: int) -> Tensor:
    """uint8 (H,W,3) -> uint8 (size,size,3), bilinear, black where the photograph ends; a strong reduction takes the mean of areas."""
    matrix = matrix_23.to(torch.float64)
    a, b = matrix[0, 0], matrix[1, 0]
    shrinks = a * a + b * b < 0.25  # below a scale of a half a pixel is the mean of 8 x 8 samples (ours), because one sample would alias
    taps, left, top = 8, 0, 0
    if _eager():  # the same answer for less: one sample where all would be one, and only the part that the frame shows
        taps = 8 if bool(shrinks) else 1
        ends = torch.tensor([[-1, -1], [size, -1], [-1, size], [size, size]], dtype=torch.float64, device=matrix.device)
        x_4, y_4 = _back(matrix, ends[:, 0], ends[:, 1])
        left = min(max(int(x_4.min()) - 2, 0), image.shape[1] - 1)
        top = min(max(int(y_4.min()) - 2, 0), image.shape[0] - 1)
        right = max(min(int(x_4.max()) + 3, image.shape[1]), left + 1)
        lower = max(min(int(y_4.max()) + 3, image.shape[0]), top + 1)
        image = image[top:lower, left:right]
    part = image.permute(2, 0, 1).to(torch.float32).unsqueeze(0)
    steps = torch.arange(size * taps, dtype=torch.float64, device=matrix.device)
    pixel = torch.floor(steps / taps)
    places = pixel + ((steps - pixel * taps + 0.5) / taps - 0.5) * shrinks.to(torch.float64)  # within their pixel
    x, y = _back(matrix, places.unsqueeze(0), places.unsqueeze(1))
    grid = torch.stack([(2 * (x - left) + 1) / part.shape[3] - 1, (2 * (y - top) + 1) / part.shape[2] - 1], 2)
    framed = F.grid_sample(part, grid.to(torch.float32).unsqueeze(0), mode="bilinear", padding_mode="zeros", align_corners=False)
    framed = F.avg_pool2d(framed, taps) if taps > 1 else framed
    return framed[0].clamp(0, 255).round().permute(1, 2, 0).to(torch.uint8)


def _back(matrix_23: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """From the frame to the photograph."""
    a, b, c, d = matrix_23[0, 0], matrix_23[0, 1], matrix_23[1, 0], matrix_23[1, 1]
    x, y, area = x - matrix_23[0, 2], y - matrix_23[1, 2], a * d - b * c
    return (d * x - b * y) / area, (a * y - c * x) / area


def _eager() -> bool:
    """Whether values may decide: not where torch.export writes down what is done to any value."""
    if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
        return True
    return not torch.compiler.is_compiling()


def whole(image: np.ndarray, size: int) -> np.ndarray:
    """A picture that is a face's frame already, uint8 (H,W,3) -> uint8 (size,size,3), by the rule of datamodules.preprocess."""
    if image.shape[:2] == (size, size):
        return image
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).to(torch.float32).unsqueeze(0)
    x = F.interpolate(x, size=[size, size], mode="bilinear", antialias=True, align_corners=False)
    return x[0].clamp(0, 255).round().permute(1, 2, 0).to(torch.uint8).numpy()
