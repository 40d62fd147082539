"""The reader that spells letter by letter, trained in several orders at once: after PARSeq (2.7).

Shapes: B batch, C H W picture, L slots, N tokens, D width, K classes, O orders, X = L context tokens, the beginning first.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from apps.otsnet import losses, vocabulary
from apps.otsnet.answer import Answer, answer_margin, best, chosen
from apps.otsnet.beginning import begin
from apps.otsnet.locate import apart
from apps.otsnet.observe import Observer, waves
from apps.otsnet.options import Decoder, Observe
from core_attention.blocks import Mlp
from core_attention.registry import build_mixer

__all__ = ["ParseqOutput", "ParseqReader", "ParseqTeaching", "draw_orders", "order_mask"]


class ParseqTeaching(NamedTuple):
    tokens_BL: Tensor  # the truth
    ranks_OL: Tensor  # of each order, when a slot is spelled


class Picture(NamedTuple):
    """What a decoder looks at."""

    v_BND: Tensor
    place_1ND: Tensor  # P2
    seen_BN: Tensor | None  # tokens that are of the picture; None: all


class ParseqOutput(NamedTuple):
    order_logits: Tensor  # (O,B,L,K), one reading for each order
    v_BND: Tensor | None = None  # what the eyes saw, where its letters are learned from boxes


class ParseqReader(nn.Module):
    """
    >>> ParseqReader("0123456789").read(torch.randn(2, 3, 32, 128)).tokens.shape
    torch.Size([2, 26])
    """

    def __init__(self, charset: str, slots: int = 26, observe: Observe | None = None, decoder: Decoder | None = None) -> None:
        super().__init__()
        observe = observe or Observe()
        # PARSeq's eyes are a plain transformer's, unless somebody asks for others
        kind, macaron = observe.attention or "softmax", bool(observe.macaron) or observe.attention == "dual"
        self.observe = replace(observe, attention=kind, macaron=macaron)
        self.decoder = decoder or Decoder()
        self.characters, self.slots = len(charset), slots
        dim, heads, drop = self.observe.d, 2 * self.observe.h, self.observe.dropped(self.decoder.dropout)
        self.observer = Observer(self.observe)
        self.queries = nn.Parameter((waves(slots, dim) * 0.02 * dim**0.5)[None])
        self.embed = nn.Embedding(vocabulary.size(self.characters), dim)
        self.drop = nn.Dropout(drop)
        self.norm_query, self.norm_context, self.norm_look, self.norm_mlp, self.norm = (nn.LayerNorm(dim, eps=1e-6) for _ in range(5))
        self.among = build_mixer("softmax", dim, heads, context_dim=dim, proj_drop=drop)
        self.look = build_mixer("softmax", dim, heads, context_dim=dim, keys_apart=True, proj_drop=drop)
        self.mlp = Mlp(dim, 4 * dim, drop)
        self.head = nn.Linear(dim, vocabulary.classes(self.characters))
        begin(self)

    def forward(self, images_BCHW: Tensor, teaching: ParseqTeaching | None = None) -> ParseqOutput:
        """One reading for each order of the teaching; without it, that of all slots at once."""
        picture = self.look_at(images_BCHW)
        if teaching is None:
            return ParseqOutput(self._at_once(picture)[0].unsqueeze(0))
        context_BXD, seen_BX = self.context(teaching.tokens_BL[:, :-1])
        logits = [self.decode(context_BXD, order_mask(rank_L) & seen_BX.unsqueeze(1), picture)[0] for rank_L in teaching.ranks_OL]
        return ParseqOutput(torch.stack(logits), picture.v_BND if self.observe.boxes else None)

    def look_at(self, images_BCHW: Tensor) -> Picture:
        return Picture(self.observer(images_BCHW), self.observer.keys(images_BCHW), self.observer.seen(images_BCHW))

    def context(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The beginning, without a place, and characters with theirs (B,X,D); which of them may be seen (B,X): none from the end on."""
        first_B1 = torch.full_like(tokens_BT[:, :1], vocabulary.begin(self.characters))
        placed_BTD = self.embed(tokens_BT) + self.queries[:, : tokens_BT.shape[1]]
        seen_BT = vocabulary.up_to_end(tokens_BT) & (tokens_BT != vocabulary.END)
        return self.drop(torch.cat([self.embed(first_B1), placed_BTD], 1)), torch.cat([torch.ones_like(seen_BT[:, :1]), seen_BT], 1)

    def decode(
        self, context_BXD: Tensor, mask_BLX: Tensor, picture: Picture, slots: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits (B,L,K), where each slot looked (B,L,N)) of all slots, or of those from one to before another."""
        first, last = slots or (0, self.slots)
        q_BLD = self.drop(self.queries[:, first:last].expand(picture.v_BND.shape[0], -1, -1))
        q_BLD = q_BLD + self.among(self.norm_query(q_BLD), self.norm_context(context_BXD), mask=mask_BLX)
        keys_BN2D = apart(picture.v_BND, picture.place_1ND)
        u_BLD, map_BLN = self.look(self.norm_look(q_BLD), keys_BN2D, mask=picture.seen_BN, need="mean")
        q_BLD = q_BLD + u_BLD
        q_BLD = q_BLD + self.mlp(self.norm_mlp(q_BLD))
        return self.head(self.norm(q_BLD)), map_BLN

    def read(self, images_BCHW: Tensor) -> Answer:
        picture = self.look_at(images_BCHW)
        spell = self._one_by_one if self.decoder.autoregressive else self._at_once
        logits_BLK, map_BLN = spell(picture)
        p_BLK = logits_BLK.float().softmax(-1)
        tokens_BL = first_BL = best(p_BLK, self.characters)
        margin_B = answer_margin(p_BLK, tokens_BL)
        for _ in range(self.decoder.refine):
            context_BXD, seen_BX = self.context(tokens_BL[:, :-1])
            logits_BLK, map_BLN = self.decode(context_BXD, cloze(seen_BX, self.slots), picture)
            p_BLK = logits_BLK.float().softmax(-1)
            tokens_BL = best(p_BLK, self.characters)
            margin_B = torch.minimum(margin_B, answer_margin(p_BLK, tokens_BL))
        codes_BL0 = tokens_BL.unsqueeze(2)[..., :0]
        return Answer(tokens_BL, chosen(p_BLK, tokens_BL), p_BLK[:, :0, 0], map_BLN, codes_BL0, first_BL, margin_B, p_BLK)

    def confidences(self, table_BLK: Tensor, tokens_BL: Tensor) -> Tensor:
        """Of the characters and the end by a table like the answer's, (B,L)."""
        return chosen(table_BLK, tokens_BL)

    def _at_once(self, picture: Picture) -> tuple[Tensor, Tensor]:
        first_B1 = picture.v_BND.new_full((picture.v_BND.shape[0], 1), vocabulary.begin(self.characters), dtype=torch.int64)
        context_B1D = self.drop(self.embed(first_B1))
        mask_BL1 = (first_B1 >= 0).unsqueeze(1).expand(-1, self.slots, -1)
        return self.decode(context_B1D, mask_BL1, picture)

    def _one_by_one(self, picture: Picture) -> tuple[Tensor, Tensor]:
        """Slot after slot, always all of them: a loop that stopped at the end would not outlive an export."""
        logits, maps, tokens = [], [], []
        first_B1 = picture.v_BND.new_full((picture.v_BND.shape[0], 1), vocabulary.begin(self.characters), dtype=torch.int64)
        context_BXD = self.drop(self.embed(first_B1))
        seen_BX = first_B1 >= 0
        for slot in range(self.slots):
            logits_B1K, map_B1N = self.decode(context_BXD, seen_BX.unsqueeze(1), picture, (slot, slot + 1))
            logits.append(logits_B1K)
            maps.append(map_B1N)
            tokens.append(logits_B1K.argmax(-1))
            context_BXD, seen_BX = self.context(torch.cat(tokens, 1))
        return torch.cat(logits, 1), torch.cat(maps, 1)

    def teach(self, tokens_BL: Tensor, step: int, progress: float) -> ParseqTeaching:
        """The truth, and orders drawn by the step; progress changes nothing."""
        longest = int(vocabulary.up_to_end(tokens_BL).sum(1).max()) - 1
        generator = torch.Generator().manual_seed(step)
        return ParseqTeaching(tokens_BL, draw_orders(self.slots, longest, self.decoder.permutations, generator).to(tokens_BL.device))

    def losses(self, output: ParseqOutput, tokens_BL: Tensor, boxes_BT4: Tensor | None = None) -> dict[str, Tensor]:
        """The mean over all tokens of all orders. The end is trained in the first two alone."""
        valid_BL = vocabulary.up_to_end(tokens_BL)
        character_BL = valid_BL & (tokens_BL != vocabulary.END)
        total, count = output.order_logits.new_zeros((), dtype=torch.float32), 0
        for i, logits_BLK in enumerate(output.order_logits):
            counted_BL = valid_BL if i < 2 else character_BL
            total = total + cross_entropy(logits_BLK[counted_BL].float(), tokens_BL[counted_BL], reduction="sum")
            count += int(counted_BL.sum())
        found = {"spell": total / max(1, count)}
        if boxes_BT4 is not None and output.v_BND is not None:
            found["boxes"] = self.observe.boxes * losses.boxed(output.v_BND, self.head, boxes_BT4, tokens_BL, self.observer.cells)
        return found

    def follow(self, taught: Sequence[tuple[ParseqOutput, Tensor]], step: int, progress: float) -> dict[str, Tensor]:
        return {}


def order_mask(rank_L: Tensor) -> Tensor:
    """Which of the beginning and the characters a slot may see when slots are spelled by rank, (L,X): those that came before it."""
    before_LT = rank_L.unsqueeze(1) > rank_L[:-1].unsqueeze(0)
    return torch.cat([torch.ones_like(before_LT[:, :1]), before_LT], 1)


def cloze(seen_BX: Tensor, slots: int) -> Tensor:
    """Everything but the own character, (B,L,X)."""
    ones_LX = seen_BX.new_ones((slots, slots))
    own_LX = ones_LX.tril(1) & ones_LX.triu(1)  # behind the beginning, slot t's character is the context's t + 1
    return seen_BX.unsqueeze(1) & ~own_LX


def draw_orders(slots: int, longest: int, count: int, generator: Generator) -> Tensor:
    """Ranks (O,L): forward, backward, then random orders of the first `longest` characters, each with its reverse."""
    forward_L = torch.arange(slots)
    orders = [forward_L]
    for _ in range(count // 2 - 1):
        orders.append(torch.cat([torch.randperm(longest, generator=generator), forward_L[longest:]]))
    made = []
    for rank_L in orders:
        # the reverse of the first is that of the whole word, its end included; of the others that of the characters
        turned = longest + 1 if rank_L is forward_L else longest
        made += [rank_L, torch.cat([turned - 1 - rank_L[:turned], forward_L[turned:]])]
    return torch.stack(made)
