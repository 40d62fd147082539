"""The mean of the tokens.

Shapes: T tokens of all segments, S segments, D width.
"""

from torch import Tensor

from core_attention.contract import Pool, PoolSpec
from core_attention.functional import segment_pool
from core_attention.pools.slots import equal_weights
from core_attention.registry import register_pool
from core_attention.segments import Segments

__all__ = ["Mean"]


@register_pool
class Mean(Pool):
    spec = PoolSpec("mean", needs=frozenset({"none", "full"}), complexity="N D", source="none")

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        weights_T1 = equal_weights(x_TD, segments, valid_T)
        z_SD = segment_pool(x_TD, weights_T1, segments.offsets).squeeze(1)
        return z_SD, weights_T1 if need == "full" else None
