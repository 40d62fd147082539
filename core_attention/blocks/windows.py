"""A map cut into square windows, and put together again.

Shapes: B batch, H W map, D width, G windows of a map, S side of a window.
"""

from torch import Tensor
from torch.nn.functional import pad

from kernels.dispatch import is_tracing

__all__ = ["from_windows", "to_windows"]


def to_windows(x_BHWD: Tensor, side: int) -> tuple[Tensor, Tensor | None]:
    """(tokens (B*G, S*S, D), which of them are real (B*G, S*S), None: all). A map that does not divide is filled up right and below."""
    height, width = x_BHWD.shape[1:3]
    below, right = -height % side, -width % side
    tokens = _cut(pad(x_BHWD, (0, 0, 0, right, 0, below)), side)
    if not is_tracing() and below == 0 and right == 0:  # in a trace the answer would be baked in
        return tokens, None
    real_BHW1 = x_BHWD.new_ones(x_BHWD.shape[:3]).unsqueeze(3)
    return tokens, _cut(pad(real_BHW1, (0, 0, 0, right, 0, below)), side)[..., 0] > 0


def from_windows(tokens: Tensor, side: int, height: int, width: int) -> Tensor:
    """Undo `to_windows`: (B,H,W,D)."""
    down, across = (height + side - 1) // side, (width + side - 1) // side
    x = tokens.reshape(-1, down, across, side, side, tokens.shape[-1]).transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)[:, :height, :width]


def _cut(x_BHWD: Tensor, side: int) -> Tensor:
    batch, height, width, dim = x_BHWD.shape
    x = x_BHWD.reshape(batch, height // side, side, width // side, side, dim).transpose(2, 3)
    return x.flatten(3, 4).flatten(0, 2)
