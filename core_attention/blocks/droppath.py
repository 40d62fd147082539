"""Stochastic depth: in training a branch is left out for some samples, and the others are scaled up (Huang et al., arXiv 1603.09382)."""

from torch import Tensor, nn

from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["DropPath"]


class DropPath(nn.Module):
    """Drops whole samples: rows of the batch, or with `segments` whole segments of a (T,D) tensor."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"drop path rate is in [0, 1), not {rate}")
        self.rate = rate

    def forward(self, x: Tensor, segments: Segments | None = None) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        samples = x.shape[0] if segments is None else segments.count
        keep = x.new_empty((samples,)).bernoulli_(1.0 - self.rate) / (1.0 - self.rate)
        if segments is not None:
            keep = keep[segment_of(x[:, 0], segments.offsets)]
        return x * keep.view(-1, *[1] * (x.ndim - 1))

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"
