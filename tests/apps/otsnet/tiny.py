"""Readers and words small enough for tests."""

from typing import Any

import torch
from torch import Tensor

from apps.otsnet.model import Otsnet
from apps.otsnet.options import Observe, Quantize
from apps.otsnet.readers import Reader, build_reader

CHARSET, SLOTS, PAD = "abcdef", 6, 8


def eyes(**options: Any) -> Observe:
    return Observe(**{"dim": 16, "depth": 1, "width": 64, **options})


def reader(name: Any = "otsnet", seed: int = 0, scale: float = 3.0, charset: str = CHARSET, **options: Any) -> Reader:
    """In eval mode, with weights so large that pictures are told apart."""
    torch.manual_seed(seed)
    options.setdefault("observe", eyes(grid="4x32") if name == "ctc" else eyes())
    made = build_reader(name, charset, SLOTS, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return made.eval()


def otsnet(seed: int = 0, **options: Any) -> Otsnet:
    options.setdefault("quantize", Quantize(codes=8, code_width=8))
    made = reader("otsnet", seed, **options)
    assert isinstance(made, Otsnet)
    return made


def pictures(n: int = 3, seed: int = 0, width: int = 64) -> Tensor:
    return torch.randn(n, 3, 32, width, generator=torch.Generator().manual_seed(seed))


def words(*spelled: str) -> Tensor:
    """Tokens: characters, one end, nothing."""
    rows = [[CHARSET.index(character) + 1 for character in word] + [0] for word in spelled]
    return torch.tensor([row + [PAD] * (SLOTS - len(row)) for row in rows])
