"""Some rows of a sequence look at all of it: a whole pre-norm block whose queries are the chosen rows only (DCAL, section 2.3).

Shapes: B batch, N tokens, D width, K chosen rows.
"""

import copy
import math

import torch
from torch import Tensor

from core_attention.blocks.prenorm import PreNorm
from core_attention.mixers.heads import Heads
from core_attention.mixers.softmax import Softmax

__all__ = ["GlobalLocal", "select_top", "take"]


class GlobalLocal(PreNorm):
    """Only the chosen rows pass through the block; parameters are PreNorm's, so that the state of one fits the other."""

    attn: Heads

    @classmethod
    def like(cls, block: PreNorm) -> "GlobalLocal":
        """One of the same sizes and options as a block of a trunk, with a copy of its weights."""
        if not isinstance(block.attn, Softmax) or block.attn.context_dim is not None:
            raise ValueError(f"a global-local block is made like one of softmax self-attention, not of {block.attn.spec.name}")
        twin = copy.deepcopy(block)
        twin.__class__ = cls
        assert isinstance(twin, cls)
        return twin

    def forward(self, rows_BKD: Tensor, x_BND: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The rows after the block, (B,K,D); keys and values are all tokens of x."""
        q_BHKE, k_BHNE, v_BHNE = self.attn.project_rows(self.norm1(rows_BKD), self.norm1(x_BND))
        return self.rest(rows_BKD, self.attn.finish(self.attn.answer(q_BHKE, k_BHNE, v_BHNE, None, False)))


def select_top(scores_BN: Tensor, ratio: float, skip: int = 1) -> Tensor:
    """Indices (B,K) of the highest scores, K = ratio of those behind the first `skip` and at least one.

    Of equals the lower index comes first, so that devices agree (ours).
    """
    if not 0.0 < ratio <= 1.0:
        raise ValueError(f"ratio is in (0, 1], not {ratio}")
    count = int(scores_BN.shape[1]) - skip
    if count < 1:
        raise ValueError(f"{scores_BN.shape[1]} scores leave nothing to choose from behind the first {skip}")
    k = max(1, math.floor(ratio * count + 1e-9))
    order_BN = scores_BN[:, skip:].sort(dim=1, descending=True, stable=True).indices
    return order_BN[:, :k] + skip


def take(x_BND: Tensor, index_BK: Tensor) -> Tensor:
    """The rows of x at the indices, (B,K,D)."""
    return torch.gather(x_BND, 1, index_BK.unsqueeze(-1).expand(-1, -1, x_BND.shape[2]))
