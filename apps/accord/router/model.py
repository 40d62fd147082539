"""The router's network: hashed words, two blocks of attention, attention pooling, a score for each of the six kinds (brief, 2.4.5).

Shapes: B texts, N tokens, W width of the table, D width, H heads, K kinds, T tokens of all texts, F hashed features of all tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["RouterNet"]


class _Block(nn.Module):
    """x += attention(norm x); x += mlp(norm x)."""

    def __init__(self, dim: int, heads: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x_BND: Tensor, valid_BN: Tensor) -> Tensor:
        b, n, d = x_BND.shape
        q_BHNE, k_BHNE, v_BHNE = self.qkv(self.norm1(x_BND)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed_BHNE = F.scaled_dot_product_attention(q_BHNE, k_BHNE, v_BHNE, attn_mask=valid_BN[:, None, None, :])
        x_BND = x_BND + self.drop(self.out(mixed_BHNE.transpose(1, 2).reshape(b, n, d)))
        return x_BND + self.drop(self.down(F.gelu(self.up(self.norm2(x_BND)))))


class RouterNet(nn.Module):
    """ours: 4096 buckets of 16, widened to 64: what 260 kB hold in half precision (the brief's 4096 of 64 are 524 kB by themselves)."""

    def __init__(
        self,
        kinds: int = 6,
        buckets: int = 4096,
        width: int = 16,
        dim: int = 64,
        heads: int = 4,
        layers: int = 2,
        hidden: int = 96,
        drop: float = 0.1,
    ) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(buckets, width, mode="mean")
        self.widen = nn.Linear(width, dim, bias=False)
        self.drop = nn.Dropout(drop)
        self.blocks = nn.ModuleList([_Block(dim, heads, hidden, drop) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)
        self.pool = nn.Linear(dim, 1)
        self.head = nn.Linear(dim, kinds)

    def forward(self, buckets_F: Tensor, offsets_T: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,K), and the weight of each token in the pooling (B,N); a text without tokens counts as one of nothing."""
        b, n = len(counts_B), max(1, int(counts_B.max()))
        valid_BN = torch.arange(n, device=counts_B.device) < counts_B[:, None]
        words_TW = self.table(buckets_F, offsets_T)
        x_BNW = words_TW.new_zeros(b, n, words_TW.shape[-1])
        x_BNW[valid_BN] = words_TW
        valid_BN = valid_BN | (torch.arange(n, device=counts_B.device) == 0)  # never a row without any
        x_BND = self.drop(self.widen(x_BNW))
        for block in self.blocks:
            x_BND = block(x_BND, valid_BN)
        x_BND = self.norm(x_BND)
        weight_BN = self.pool(x_BND)[..., 0].masked_fill(~valid_BN, torch.finfo(x_BND.dtype).min).softmax(-1)
        return self.head(self.drop(torch.einsum("bn,bnd->bd", weight_BN, x_BND))), weight_BN
