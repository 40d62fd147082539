"""The first token of each sample: a trunk's class token.

A mask that hides the first token but not the others contradicts itself. On a CPU it is refused. On a GPU, where to look would wait for
the device, and in an exported program the hidden token counts as zeros. So does every sample that has no token.

Shapes: T tokens of all segments, S segments, D width.
"""

import torch
from torch import Tensor

from core_attention.contract import Pool, PoolSpec
from core_attention.pools.slots import visible_count
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.dispatch import is_tracing

__all__ = ["Cls"]


@register_pool
class Cls(Pool):
    spec = PoolSpec("cls", needs=frozenset({"none"}), complexity="D", source="Devlin et al., arXiv 1810.04805")

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        offsets = segments.offsets
        empty_S = offsets.diff() == 0
        first_S = offsets[:-1].masked_fill(empty_S, 0)  # an empty last segment would begin behind the last token
        if not is_tracing() and not torch.compiler.is_compiling():  # a program is taken to get at least one token
            if x_TD.shape[0] == 0:
                return x_TD.new_zeros((offsets.shape[0] - 1, x_TD.shape[1])), None
            if valid_T is not None and valid_T.device.type == "cpu":
                contrary_S = ~valid_T[first_S] & (visible_count(x_TD, segments, valid_T).squeeze(1) > 0)
                if contrary_S.any():
                    raise ValueError(
                        f"cls: the mask hides the first token of sample {int(contrary_S.int().argmax())}, which is all that counts"
                    )
        return x_TD.index_select(0, first_S).masked_fill(empty_S.unsqueeze(-1), 0.0), None
