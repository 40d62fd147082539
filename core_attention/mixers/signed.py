"""What the differential mixers share: y = norm((P1 - lam P2) V) per head, lam learned.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, K heads of the subtracted maps, F width of a query, E of a value.
"""

from math import exp

import torch
from torch import Tensor, nn

from core_attention.contract import cleaned
from core_attention.functional import apply_transposed, diff_attention, diff_attention_weights
from core_attention.mixers.heads import Heads
from core_attention.tokens import with_past
from kernels.dispatch import autocast_off

__all__ = ["Signed"]


class Signed(Heads):
    """Parameters besides those of Heads: `sub_norm`, and the vectors `lambda_q1`, `lambda_k1`, `lambda_q2`, `lambda_k2`.

    lam = exp(q1 . k1) - exp(q2 . k2) + lambda_init: one for the layer as in the authors' code, or one a head (`lambda_per_head`).
    depth: the layer's index from 0, which says lambda_init = 0.8 - 0.6 exp(-0.3 depth); or give lambda_init itself.
    learned=False leaves the vectors out, and lam stays lambda_init. The last projection has no bias. Maps are signed: rows sum to 1 - lam.

    There is no need="lse": two softmaxes have two.
    """

    linear_in_values = False  # each head's answer is normalised

    def __init__(
        self,
        dim: int,
        heads: int,
        query_width: int,
        depth: int | None,
        lambda_init: float | None,
        lambda_per_head: bool,
        qkv_bias: bool,
        causal: bool,
        context_dim: int | None,
        attn_drop: float,
        proj_drop: float,
        keys_apart: bool = False,
        learned: bool = True,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, False, causal, context_dim, attn_drop, proj_drop, keys_apart)
        self.lambda_init = initial_share(self.spec.name, depth, lambda_init)
        if lambda_per_head and not learned:
            raise ValueError(f"{self.spec.name}: lambda_per_head is about vectors that learned=False leaves out; leave one of them out")
        self.learned = learned
        shape = (heads, query_width) if lambda_per_head else (query_width,)
        if learned:
            self.lambda_q1 = nn.Parameter(0.1 * torch.randn(shape))
            self.lambda_k1 = nn.Parameter(0.1 * torch.randn(shape))
            self.lambda_q2 = nn.Parameter(0.1 * torch.randn(shape))
            self.lambda_k2 = nn.Parameter(0.1 * torch.randn(shape))
        self.sub_norm = nn.RMSNorm(dim // heads, eps=1e-5)
        self.proj = nn.Linear(dim, dim, bias=False)

    def split(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Queries or keys of `project` as those of the first maps (B,H,N,F) and those of the subtracted ones (B,K,N,F)."""
        raise NotImplementedError

    def share(self) -> Tensor:
        """lam, () or (H,), in at least float32."""
        full = torch.promote_types(self.sub_norm.weight.dtype, torch.float32)
        if not self.learned:
            return self.sub_norm.weight.new_full((), self.lambda_init, dtype=full)
        with autocast_off(self.lambda_q1):
            gain = (self.lambda_q1.to(full) * self.lambda_k1.to(full)).sum(-1).exp()
            loss = (self.lambda_q2.to(full) * self.lambda_k2.to(full)).sum(-1).exp()
            return gain - loss + self.lambda_init

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        (q1, q2), (k1, k2) = self.split(q_BHNE), self.split(k_BHME)
        return diff_attention_weights(q1, k1, q2, k2, self.share(), mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        (q1, q2), (k1, k2) = self.split(q_BHNE), self.split(k_BHME)
        return diff_attention(q1, k1, q2, k2, v_BHME, self.share(), mask, causal), None

    def finish(self, o_BHNE: Tensor) -> Tensor:
        # a constant and not 1 - lam: the size of the gradient stays that of a plain transformer
        return super().finish(self.sub_norm(o_BHNE.to(self.sub_norm.weight.dtype)) * (1 - self.lambda_init))

    def pull(
        self,
        r_BN: Tensor,
        x_BND: Tensor,
        context_BMC: Tensor | None = None,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        self._check(x_BND, context_BMC, mask, grid, None, "mean")
        x_BND, context_BMC, mask = cleaned(x_BND, context_BMC, mask)
        q, k, _ = self.project(x_BND, context_BMC)
        if self.causal and context_BMC is None:
            mask = with_past(mask, q, k)
        (q1, q2), (k1, k2) = self.split(q), self.split(k)
        group = self.heads // q2.shape[1]
        if mask is not None and mask.ndim == 4 and mask.shape[1] != 1:  # each head's own mask
            q2, k2, group = q2.repeat_interleave(group, 1), k2.repeat_interleave(group, 1), 1
        first_BHM = apply_transposed(q1, k1, r_BN, mask=mask)
        second_BHM = apply_transposed(q2, k2, r_BN, mask=mask).repeat_interleave(group, 1)
        return (first_BHM - self.share().reshape(-1, 1) * second_BHM).mean(1)


def initial_share(name: str, depth: int | None, lambda_init: float | None) -> float:
    """From 0.2 in the first layer towards 0.8."""
    if depth is not None and lambda_init is None:
        return 0.8 - 0.6 * exp(-0.3 * depth)
    if depth is None and lambda_init is not None:
        return lambda_init
    raise ValueError(f"{name}: give depth (the layer's index from 0) or lambda_init, one of them")
