"""Plain attention: y = softmax(Q K^T / sqrt d) V per head. The reference for all others.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, d head width (written E), C context width.
"""

from torch import Tensor, nn
from torch.nn.functional import dropout

from core_attention.contract import Mixer, MixerSpec, Segments, register_mixer
from core_attention.functional import attend, attention_weights
from core_attention.tokens import pad, sanitise, unpad

__all__ = ["Softmax"]


@register_mixer
class Softmax(Mixer):
    """Parameters are named as in timm: `qkv`, `proj`; with `context_dim`: `q`, `kv`, `proj`."""

    spec = MixerSpec(
        name="softmax",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        complexity="2 N M D",
        source="Vaswani et al., arXiv 1706.03762",
        ragged=True,
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        qkv_bias: bool = True,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if dim % heads:
            raise ValueError(f"softmax: dim={dim} does not divide by heads={heads}")
        self.heads = heads
        if context_dim is None:
            self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        else:
            self.q = nn.Linear(dim, dim, bias=qkv_bias)
            self.kv = nn.Linear(context_dim, 2 * dim, bias=qkv_bias)
        self.attn_drop = attn_drop
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
        segments: Segments | tuple[Segments, Segments] | None = None,
        need: str = "none",
    ) -> Tensor | tuple[Tensor, Tensor]:
        self.check(x, context, mask, grid, segments, need)
        if segments is not None:
            return self._ragged(x, context, segments)
        if mask is not None and mask.ndim == 2:  # only a key mask names tokens that nobody sees
            if context is None:
                x = sanitise(x, mask)
            else:
                context = sanitise(context, mask)
        q_BHNE, k_BHME, v_BHME = self.project(x, context)
        mask = _four_dims(mask)
        causal = self.causal and context is None  # a causal decoder sees all of its finished source
        if self.attn_drop and self.training:
            p_BHNM, lse_BHN = attention_weights(q_BHNE, k_BHME, mask, causal)
            o_BHNE = dropout(p_BHNM, self.attn_drop).to(v_BHME.dtype) @ v_BHME
        else:
            o_BHNE, lse_BHN = attend(q_BHNE, k_BHME, v_BHME, mask, causal, need_lse=need == "lse")
        y_BND = self.proj_drop(self.proj(o_BHNE.transpose(1, 2).flatten(2)))
        if need == "none":
            return y_BND
        if need == "lse":
            assert lse_BHN is not None
            return y_BND, lse_BHN
        if need == "row" and not causal:  # as good as nothing to compute
            q_BHNE = q_BHNE[:, :, :1]
            mask = mask if mask is None or mask.shape[2] == 1 else mask[:, :, :1]
        p_BHNM, _ = attention_weights(q_BHNE, k_BHME, mask, causal)
        if need == "row":
            return y_BND, p_BHNM[:, :, 0]
        return y_BND, p_BHNM if need == "full" else p_BHNM.mean(1)

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B,H,N,E), keys and values (B,H,M,E)."""
        if context_BMC is None:
            q_BHNE, k_BHME, v_BHME = self.qkv(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        else:
            q_BHNE = self.q(x_BND).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            k_BHME, v_BHME = self.kv(context_BMC).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return q_BHNE, k_BHME, v_BHME

    def _ragged(self, x_TD: Tensor, context_TC: Tensor | None, segments: Segments | tuple[Segments, Segments]) -> Tensor:
        """Segment by segment, padded side by side."""
        own, other = (segments, None) if isinstance(segments, Segments) else segments
        x_SLD, valid_SL = pad(x_TD, own)
        context_SLC = None
        if context_TC is not None and other is not None:
            context_SLC, valid_SL = pad(context_TC, other)
        y_SLD = self(x_SLD, context_SLC, valid_SL)
        return unpad(y_SLD, own, x_TD)


def _four_dims(mask: Tensor | None) -> Tensor | None:
    """(B,M), (B,N,M) or (B,1|H,N,M) as (B,1|H,1|N,M)."""
    if mask is None or mask.ndim == 4:
        return mask
    return mask[:, None, None] if mask.ndim == 2 else mask[:, None]
