"""Spelling: a cloze decoder, in which a slot never sees its own character, and a head that judges that character (2.5, MMCV).

Shapes: B batch, L slots, K = L + 1 characters with the beginning before them, N tokens, D width, C classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.otsnet import vocabulary
from apps.otsnet.locate import apart
from apps.otsnet.options import Observe, Verify
from core_attention.blocks import Mlp
from core_attention.registry import build_mixer

__all__ = ["Sources", "Spelled", "Verifier", "cloze_mask"]


class Sources(NamedTuple):
    """What the picture said."""

    v_BND: Tensor
    place_1ND: Tensor  # P2
    g_BLD: Tensor
    s_BLD: Tensor
    slots_1LD: Tensor  # Qpos
    seen_BN: Tensor | None = None  # tokens that are of the picture; None: all


class Spelled(NamedTuple):
    logits_BLC: Tensor
    h_BLD: Tensor  # of each slot, without its own character: what `judge` holds a character against


def cloze_mask(tokens_BL: Tensor) -> Tensor:
    """Which of the beginning and the characters each slot may see, (B,L,K): not its own, and nothing behind the end.

    The beginning is always there, so that no slot is left without anything to see.
    """
    seen_BL = ~vocabulary.behind_end(tokens_BL)
    length = tokens_BL.shape[1]
    own_LL = seen_BL.new_ones((length, length)).tril() & seen_BL.new_ones((length, length)).triu()
    seen_BLL = seen_BL.unsqueeze(1) & ~own_LL
    return torch.cat([torch.ones_like(seen_BLL[..., :1]), seen_BLL], 2)


class Verifier(nn.Module):
    def __init__(self, observe: Observe, options: Verify, characters: int) -> None:
        super().__init__()
        dim, self.characters = observe.d, characters
        self.embed = nn.Embedding(vocabulary.size(characters), dim)
        self.glyph = nn.Linear(dim, dim, bias=False)  # W_g
        count = options.layers or observe.row.verify_layers
        self.layers = nn.ModuleList(Layer(observe, options) for _ in range(count))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.gate = nn.Linear(3 * dim, dim)  # W_f
        self.head = nn.Linear(dim, vocabulary.classes(characters))  # W_F
        self.judges = options.head == "full"
        if self.judges:
            self.judge_in = nn.Linear(3 * dim, dim)  # W_v
            self.judge_out = nn.Linear(dim, 1)

    def forward(self, tokens_BL: Tensor, sources: Sources) -> Spelled:
        """What each slot is, given all other characters of the hypothesis."""
        tokens_BL = vocabulary.close(tokens_BL, self.characters)
        context_BLD = self.embed(tokens_BL) + sources.slots_1LD
        first_B1 = torch.full_like(tokens_BL[:, :1], vocabulary.begin(self.characters))
        context_BKD = torch.cat([self.embed(first_B1), context_BLD], 1)
        mask_BLK = cloze_mask(tokens_BL)
        h_BLD = sources.slots_1LD + self.glyph(sources.g_BLD)
        for layer in self.layers:
            h_BLD = layer(h_BLD, context_BKD, mask_BLK, sources)
        h_BLD = self.norm(h_BLD)
        a_BLD = self.gate(torch.cat([h_BLD, sources.g_BLD, sources.s_BLD], 2)).sigmoid()
        fused_BLD = a_BLD * h_BLD + (1 - a_BLD) * (sources.g_BLD + sources.s_BLD) / 2
        return Spelled(self.head(fused_BLD), h_BLD)

    def judge(self, h_BLD: Tensor, tokens_BL: Tensor) -> Tensor:
        """Logit that each character is right, (B,L)."""
        own_BLD = self.embed(vocabulary.close(tokens_BL, self.characters))
        both_BLD = self.judge_in(torch.cat([h_BLD, own_BLD, h_BLD * own_BLD], 2))
        return self.judge_out(nn.functional.gelu(both_BLD)).squeeze(2)


class Layer(nn.Module):
    """Characters, picture, glyphs, each where it is asked for; then a feed-forward step."""

    def __init__(self, observe: Observe, options: Verify) -> None:
        super().__init__()
        dim, heads, drop = observe.d, 2 * observe.h, observe.dropped(options.dropout)
        self.norms, self.sources, self.looks = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for name in options.modalities:
            self.norms[name] = nn.LayerNorm(dim, eps=1e-6)
            self.sources[name] = nn.LayerNorm(dim, eps=1e-6)
            placed = {"keys_apart": True} if name == "visual" else {}
            self.looks[name] = build_mixer("softmax", dim, heads, context_dim=dim, proj_drop=drop, **placed)
        self.norm_mlp = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, 4 * dim, drop)

    def forward(self, h_BLD: Tensor, context_BKD: Tensor, mask_BLK: Tensor, sources: Sources) -> Tensor:
        for name in ("character", "visual", "semantic"):  # 2.5: in this order
            if name not in self.looks:
                continue
            asking_BLD, normed = self.norms[name](h_BLD), self.sources[name]
            if name == "character":
                u_BLD = self.looks[name](asking_BLD, normed(context_BKD), mask=mask_BLK)
            elif name == "visual":
                u_BLD = self.looks[name](asking_BLD, apart(normed(sources.v_BND), sources.place_1ND), mask=sources.seen_BN)
            else:
                u_BLD = self.looks[name](asking_BLD, normed(sources.s_BLD))
            h_BLD = h_BLD + u_BLD
        return h_BLD + self.mlp(self.norm_mlp(h_BLD))
