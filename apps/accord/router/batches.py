"""Texts as tensors for the router's network. Shapes: B texts, T tokens of all texts, F hashed features of all tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from apps.accord.router.tokens import Token

__all__ = ["batch"]


def batch(texts: Sequence[Sequence[Token]]) -> tuple[Tensor, Tensor, Tensor]:
    """Hashed features (F), where each token's begin (T), and how many tokens each text has (B)."""
    buckets, offsets = [], []
    for token in (token for text in texts for token in text):
        offsets.append(len(buckets))
        buckets += token.buckets
    counts = [len(text) for text in texts]
    return torch.tensor(buckets, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64), torch.tensor(counts, dtype=torch.int64)
