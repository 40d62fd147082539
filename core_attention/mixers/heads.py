"""What mixers of the kind y = proj(concat_h(P_h V_h)) share: projections, dropout, and the answers to `need`.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width, C context width.
"""

from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from core_attention.contract import Mixer

__all__ = ["Heads", "RMSNorm"]


class RMSNorm(nn.RMSNorm):
    """Of queries and keys, as timm's `qk_norm` with rms norm; eps is stated, torch's default depends on the dtype."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-6)  # pyright: ignore[reportUnknownMemberType]


class Heads(Mixer):
    """Parameters are named as in timm: `qkv`, `proj`; with `context_dim`: `q`, `kv`, `proj`; with `qk_norm`: `q_norm`, `k_norm`.

    keys_apart: the context is (B,M,2C), what keys are made of beside what values are made of: positions in the keys alone.
    A mixer of this kind fills in `weights`, and `combine` where there is a way round the map.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        keys_apart: bool = False,
    ) -> None:
        super().__init__(causal, context_dim)
        if keys_apart and context_dim is None:
            raise ValueError(f"{self.spec.name}: keys_apart is for cross attention; give context_dim or leave it out")
        self.keys_apart = keys_apart
        if heads < 1 or dim % heads:
            raise ValueError(f"{self.spec.name}: dim={dim} does not divide by heads={heads}")
        self.dim = dim
        self.heads = heads
        if context_dim is None:
            self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        else:
            self.q = nn.Linear(dim, dim, bias=qkv_bias)
            self.kv = nn.Linear(context_dim, 2 * dim, bias=qkv_bias)
        self.q_norm = RMSNorm(dim // heads) if qk_norm else nn.Identity()
        self.k_norm = RMSNorm(dim // heads) if qk_norm else nn.Identity()
        self.attn_drop = attn_drop
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def width(self) -> int:
        return self.dim

    linear_in_values = True  # the answer is proj of map times values

    # --- what a mechanism fills in -------------------------------------------------------------------------------

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """The map (B,H,N,M), in at least float32."""
        raise NotImplementedError

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        """(what the heads answer (B,H,N,E), log-sum-exp (B,H,N) if asked for)."""
        return self.weights(q_BHNE, k_BHME, mask, causal).to(v_BHME.dtype) @ v_BHME, None

    def mean_weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """The mean of the heads' maps, (B,N,M)."""
        return self.weights(q_BHNE, k_BHME, mask, causal).mean(1)

    def combine_pair(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, k2_BHME: Tensor, v2_BHME: Tensor, mask: Tensor | None, mask2: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As `combine`, over the keys of a partner besides; with the share of attention on the own keys (B,H,N)."""
        raise ValueError(f"{self.spec.name} has no pair-wise form; softmax has")

    # --- the way through -----------------------------------------------------------------------------------------

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        q_BHNE, k_BHME, v_BHME = self.project(x_BND, context_BMC)
        causal = self.causal and context_BMC is None  # a causal decoder sees all of its finished source
        if need == "lse" and not (self.attn_drop and self.training):
            o_BHNE, lse_BHN = self.combine(q_BHNE, k_BHME, v_BHME, mask, causal, True)
            assert lse_BHN is not None
            return self.finish(o_BHNE), lse_BHN
        y_BND = self.finish(self.answer(q_BHNE, k_BHME, v_BHME, mask, causal))
        if need == "none":
            return y_BND
        if need == "lse":  # of the map before dropout
            _, lse_BHN = self.combine(q_BHNE, k_BHME, v_BHME, mask, causal, True)
            assert lse_BHN is not None
            return y_BND, lse_BHN
        if need == "row" and not causal:  # as good as nothing to compute
            q_BHNE = q_BHNE[:, :, :1]
            mask = mask if mask is None or mask.shape[2] == 1 else mask[:, :, :1]
        if need == "mean":
            return y_BND, self.mean_weights(q_BHNE, k_BHME, mask, causal)
        p_BHNM = self.weights(q_BHNE, k_BHME, mask, causal)
        return y_BND, p_BHNM if need == "full" else p_BHNM[:, :, 0]

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B,H,N,E), keys and values (B,H,M,E)."""
        if context_BMC is None:
            q_BHNE, k_BHME, v_BHME = self.qkv(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        elif self.keys_apart:
            q_BHNE, k_BHME, v_BHME = self._split(self.q(x_BND)), *self._apart(context_BMC)
        else:
            q_BHNE = self.q(x_BND).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            k_BHME, v_BHME = self.kv(context_BMC).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.q_norm(q_BHNE), self.k_norm(k_BHME), v_BHME

    def project_rows(self, rows_BKD: Tensor, x_BND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `project` of self attention, but with queries of some rows only: (B,H,K,E), keys and values (B,H,N,E)."""
        dim, bias = self.qkv.weight.shape[0] // 3, getattr(self.qkv, "bias", None)  # heads may have been cut
        q_BKD = linear(rows_BKD, self.qkv.weight[:dim], None if bias is None else bias[:dim])
        kv_BND = linear(x_BND, self.qkv.weight[dim:], None if bias is None else bias[dim:])
        k_BND, v_BND = kv_BND.chunk(2, -1)
        return self.q_norm(self._split(q_BKD)), self.k_norm(self._split(k_BND)), self._split(v_BND)

    def _apart(self, context_BMC: Tensor) -> tuple[Tensor, Tensor]:
        """Keys of the first half of the context's width, values of the second."""
        keys_BMC, values_BMC = context_BMC.chunk(2, -1)
        dim, bias = self.dim, getattr(self.kv, "bias", None)
        k_BMD = linear(keys_BMC, self.kv.weight[:dim], None if bias is None else bias[:dim])
        v_BMD = linear(values_BMC, self.kv.weight[dim:], None if bias is None else bias[dim:])
        return self._split(k_BMD), self._split(v_BMD)

    def _split(self, x_BND: Tensor) -> Tensor:
        """(B,N,D) as heads (B,H,N,E)."""
        return x_BND.reshape(x_BND.shape[0], x_BND.shape[1], self.heads, -1).transpose(1, 2)

    def answer(self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """What the heads answer (B,H,N,E), with dropout on the map in training."""
        if self.attn_drop and self.training:
            p_BHNM = dropout(self.weights(q_BHNE, k_BHME, mask, causal), self.attn_drop)
            return p_BHNM.to(v_BHME.dtype) @ v_BHME
        return self.combine(q_BHNE, k_BHME, v_BHME, mask, causal, False)[0]

    def finish(self, o_BHNE: Tensor) -> Tensor:
        """The heads side by side, through the last projection; maps.head_gates sit at its entrance."""
        return self.proj_drop(self.proj(o_BHNE.transpose(1, 2).flatten(2)))

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        keys = 2 * m * (self.context_dim or self.dim) * self.dim
        return 2 * n * self.dim**2 + keys + 2 * n * m * self.dim
