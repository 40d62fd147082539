"""Attention-based multiple instance learning: tokens weighted by the scores of a small, as a rule gated network.

e_t = w . (act(V x_t) * sigmoid(U x_t)), z = sum_t softmax(e)_t x_t, once per branch; the branches stand side by side.

Shapes: T tokens of all segments, S segments, D width, H hidden units, K branches.
"""

from typing import Any

from torch import Tensor, nn

from core_attention.contract import Pool, PoolSpec
from core_attention.functional import gated_pool, gated_scores, segment_attend, segment_pool, segment_softmax
from core_attention.pools.slots import hide
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.gated_pool.reference import ACTS

__all__ = ["AbMil"]


@register_pool
class AbMil(Pool):
    """hidden: 128 at dim = 512, 256 at 1024 are usual. gated=False leaves U out. The output is branches * dim wide.

    Without a mask and with need="none" no hidden unit is kept for the gradient; with either, all are.
    """

    spec = PoolSpec("ab_mil", needs=frozenset({"none", "full"}), complexity="2 N D H", source="Ilse et al., arXiv 1802.04712")

    def __init__(self, dim: int, hidden: int = 128, gated: bool = True, act: str = "tanh", bias: bool = False, branches: int = 1) -> None:
        super().__init__()
        if act not in ACTS:
            raise ValueError(f"ab_mil: act is {' or '.join(ACTS)}, not {act!r}")
        if hidden < 1 or branches < 1:
            raise ValueError(f"ab_mil: hidden={hidden} and branches={branches} are at least 1")
        self.out = branches * dim
        self.act = act
        self.V = nn.Linear(dim, hidden, bias=bias)
        self.U = nn.Linear(dim, hidden, bias=bias) if gated else None
        self.w = nn.Linear(hidden, branches, bias=False)  # softmax would cancel a bias
        for part in self.children():
            if isinstance(part, nn.Linear):
                nn.init.xavier_normal_(part.weight)
        if bias:
            nn.init.zeros_(self.V.bias)
            if self.U is not None:
                nn.init.zeros_(self.U.bias)

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        V_DH, U_DH, w_HK = self.V.weight.T, None if self.U is None else self.U.weight.T, self.w.weight.T
        rest: dict[str, Any] = {"bv": self.V.bias, "bu": None if self.U is None else self.U.bias, "act": self.act}
        if valid_T is None and need == "none":
            return gated_pool(x_TD, V_DH, U_DH, w_HK, segments.offsets, **rest)[0].flatten(1), None
        scores_TK = hide(gated_scores(x_TD, V_DH, U_DH, w_HK, **rest), valid_T)
        if need == "none":
            return segment_attend(x_TD, scores_TK, segments.offsets)[0].flatten(1), None
        weights_TK = segment_softmax(scores_TK, segments.offsets)
        return segment_pool(x_TD, weights_TK, segments.offsets).flatten(1), weights_TK
