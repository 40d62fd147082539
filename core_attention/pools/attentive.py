"""One learned query that attends to all tokens, followed by a small MLP. Parameters are named as in timm's `AttentionPoolLatent`.

Shapes: T tokens of all segments, S segments, D width, H heads, E head width.
"""

import torch
from torch import Tensor, nn

from core_attention.blocks.init import initialise
from core_attention.blocks.prenorm import Mlp
from core_attention.contract import Pool, PoolSpec
from core_attention.functional import segment_softmax
from core_attention.pools.slots import clear_empty, hide, pool_slices
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.dispatch import autocast_off

__all__ = ["Attentive"]


@register_pool
class Attentive(Pool):
    spec = PoolSpec("attentive", needs=frozenset({"none", "full"}), complexity="2 N D^2", source="Lee et al., arXiv 1810.00825, as in timm")

    def __init__(self, dim: int, heads: int = 8, mlp_ratio: float = 4.0, qkv_bias: bool = True, qk_norm: bool = False) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"attentive: dim={dim} does not divide by heads={heads}")
        self.out = dim
        self.heads = heads
        self.latent = nn.Parameter(torch.zeros(1, 1, dim))
        self.q = nn.Linear(dim, dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        initialise(self)
        nn.init.trunc_normal_(self.latent, std=dim**-0.5)

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        q_HE = self.q_norm(self.q(self.latent.flatten()).unflatten(-1, (self.heads, -1)))
        k_THE, v_THE = self.kv(x_TD).unflatten(-1, (2, self.heads, -1)).unbind(1)
        k_THE = self.k_norm(k_THE)
        full = torch.promote_types(k_THE.dtype, torch.float32)
        with autocast_off(x_TD):
            scores_TH = torch.einsum("the,he->th", k_THE.to(full), q_HE.to(full) * q_HE.shape[-1] ** -0.5)
        weights_TH = segment_softmax(hide(scores_TH, valid_T), segments.offsets)
        z_SD = self.proj(pool_slices(v_THE, weights_TH, segments))
        z_SD = z_SD + self.mlp(self.norm(z_SD))
        return clear_empty(z_SD, x_TD, segments, valid_T), weights_TH if need == "full" else None
