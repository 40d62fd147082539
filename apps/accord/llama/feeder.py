"""Token sequences of several rows through a causal language model with one cache; rows get different numbers of tokens at a time.

Shapes: B rows, L tokens of the longest piece of this call, V words of the tokenizer, C places of the cache.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Feeder"]


class Feeder:
    """Pieces are padded on the left, so that the last place is each row's last token; padded places are never attended to."""

    def __init__(self, model: Any, rows: int) -> None:
        from transformers.cache_utils import DynamicCache

        self.model, self.cache = model, DynamicCache()
        self.device = next(model.parameters()).device
        self.seen_BC = torch.zeros(rows, 0, dtype=torch.int64, device=self.device)

    @torch.no_grad()
    def feed(self, pieces: Sequence[Sequence[int]]) -> Tensor:
        """Logits (B,V) after each row's last token; a row with an empty piece gets logits that mean nothing."""
        longest = max(len(piece) for piece in pieces)
        ids_BL = torch.zeros(len(pieces), longest, dtype=torch.int64)
        real_BL = torch.zeros_like(ids_BL)
        for b, piece in enumerate(pieces):
            if piece:
                ids_BL[b, longest - len(piece) :] = torch.tensor(list(piece))
                real_BL[b, longest - len(piece) :] = 1
        ids_BL, real_BL = ids_BL.to(self.device), real_BL.to(self.device)
        before_B1 = self.seen_BC.sum(1, keepdim=True)
        position_BL = (before_B1 + real_BL.cumsum(1) - 1).clamp(min=0)
        self.seen_BC = torch.cat([self.seen_BC, real_BL], 1)
        out = self.model(
            input_ids=ids_BL,
            attention_mask=self.seen_BC,
            position_ids=position_BL,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1].float()

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows go on."""
        index = torch.tensor(list(rows), device=self.device)
        self.cache.batch_select_indices(index)
        self.seen_BC = self.seen_BC[index]
