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
    a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    shrinks = a * a + c * c < 0.25  # below a scale of a half a pixel is the mean of 4 x 4 samples (ours), because one would alias
    taps = 4
    if _eager():
        taps = 4 if bool(shrinks) else 1  # the same answer for less: all four would be one
    steps = torch.arange(size * taps, dtype=torch.float64, device=matrix.device)
    pixel = torch.floor(steps / taps)
    places = pixel + ((steps - pixel * taps + 0.5) / taps - 0.5) * shrinks.to(torch.float64)  # within their pixel
    # back to the photograph
    right, down, area = places.unsqueeze(0) - matrix[0, 2], places.unsqueeze(1) - matrix[1, 2], a * d - b * c
    x, y = (d * right - b * down) / area, (a * down - c * right) / area
    pixels = image.reshape(-1, 3)
    left, top = torch.floor(x), torch.floor(y)
    high, wide = image.shape[0], image.shape[1]
    framed = _taken(pixels, left, top, (1 - x + left) * (1 - y + top), high, wide)
    framed = framed + _taken(pixels, left + 1, top, (x - left) * (1 - y + top), high, wide)
    framed = framed + _taken(pixels, left, top + 1, (1 - x + left) * (y - top), high, wide)
    framed = framed + _taken(pixels, left + 1, top + 1, (x - left) * (y - top), high, wide)
    framed = framed.reshape(size, taps, size, taps, 3).mean(1).mean(2)
    return torch.floor(framed + (0.5 + 1e-6)).to(torch.uint8)  # ours: halves go up, whatever the last bit says


def _taken(pixels_N3: Tensor, x: Tensor, y: Tensor, weight: Tensor, high: int, wide: int) -> Tensor:
    """Float64 (...,3): the pixels at whole x and y by their weight; nothing outside of the photograph."""
    inside = (x >= 0) & (x < wide) & (y >= 0) & (y < high)
    at = y.clamp(0, high - 1).to(torch.int64) * wide + x.clamp(0, wide - 1).to(torch.int64)
    taken = pixels_N3.index_select(0, at.reshape(-1)).to(torch.float64).reshape(x.shape[0], x.shape[1], 3)
    return taken * (weight * inside.to(torch.float64)).unsqueeze(2)


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
