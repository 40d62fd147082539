"""Numbers of tokens, and what may stand behind the end of a word.

0 is the end, 1..n are characters, n+1 the beginning, n+2 nothing (pad), n+3 hidden (mask).
Shapes: B batch, L slots.
"""

import torch
from torch import Tensor

__all__ = ["END", "begin", "behind_end", "classes", "close", "mask", "pad", "size", "up_to_end"]

END = 0


def classes(characters: int) -> int:
    """What a slot may be read as."""
    return characters + 1


def begin(characters: int) -> int:
    return characters + 1


def pad(characters: int) -> int:
    return characters + 2


def mask(characters: int) -> int:
    return characters + 3


def size(characters: int) -> int:
    return characters + 4


def behind_end(tokens_BL: Tensor) -> Tensor:
    """Which slots come after the first end."""
    ends_BL = (tokens_BL == END).to(torch.int64)
    return (ends_BL.cumsum(1) - ends_BL) > 0


def up_to_end(tokens_BL: Tensor) -> Tensor:
    """Which slots are characters or the end: those that losses and statistics count."""
    return ~behind_end(tokens_BL)


def close(tokens_BL: Tensor, characters: int, last: bool = False) -> Tensor:
    """Nothing behind the first end. last: the last slot is the end in any case (ours: a word is at most L - 1 characters)."""
    if last:
        tokens_BL = torch.cat([tokens_BL[:, :-1], torch.zeros_like(tokens_BL[:, -1:])], 1)
    return tokens_BL.masked_fill(behind_end(tokens_BL), pad(characters))
