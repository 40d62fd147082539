"""What decoding keeps: the prefix of each instance, made once and shared by all its rollouts, and the steps of each rollout.

Shapes: B instances, S rollouts, N tokens, M = N + 1 with GLOBAL (or START, or the special action) in front, L blocks, H heads, T steps,
D width, E head width, P width of phi.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Cache", "Prefix", "append", "select", "select_cache"]


class Prefix(NamedTuple):
    z_BND: Tensor
    keys_LBHME: list[Tensor]
    values_LBHME: list[Tensor]
    bias_BMHM: Tensor | None  # with -inf where padded; the row of an entity is added to the logits of the step after it
    padding_BM: Tensor | None  # the same of kinds without pairwise bias; None where nothing is padded
    valid_BN: Tensor
    entry_BMD: Tensor  # what a chosen entity brings into the next step; row 0: START
    pointer_BMD: Tensor  # keys of the decision, divided by sqrt(D); row 0: the special action


class Cache(NamedTuple):
    keys_LBSHTE: list[Tensor]  # of the steps so far, in room for all of them; empty where steps see no history
    values_LBSHTE: list[Tensor]
    length: int
    predicted_BSP: Tensor  # the state that the network expects after the last step


def append(room_BSHTE: Tensor, new_BHSE: Tensor, length: int) -> Tensor:
    """The room with one step more. Written in place; with gradients, which that would break, it is grown by copying."""
    new_BSH1E = new_BHSE.transpose(1, 2).unsqueeze(3)
    if new_BHSE.requires_grad:
        return torch.cat([room_BSHTE[:, :, :, :length], new_BSH1E], 3)
    room_BSHTE[:, :, :, length] = new_BSH1E[:, :, :, 0]
    return room_BSHTE


def select(prefix: Prefix, index_X: Tensor) -> Prefix:
    """The prefixes of some instances."""
    bias_BMHM, padding_BM = prefix.bias_BMHM, prefix.padding_BM
    return Prefix(
        prefix.z_BND.index_select(0, index_X),
        [keys.index_select(0, index_X) for keys in prefix.keys_LBHME],
        [values.index_select(0, index_X) for values in prefix.values_LBHME],
        None if bias_BMHM is None else bias_BMHM.index_select(0, index_X),
        None if padding_BM is None else padding_BM.index_select(0, index_X),
        prefix.valid_BN.index_select(0, index_X),
        prefix.entry_BMD.index_select(0, index_X),
        prefix.pointer_BMD.index_select(0, index_X),
    )


def select_cache(cache: Cache, index_X: Tensor) -> Cache:
    """The steps of some instances."""
    return Cache(
        [keys.index_select(0, index_X) for keys in cache.keys_LBSHTE],
        [values.index_select(0, index_X) for values in cache.values_LBSHTE],
        cache.length,
        cache.predicted_BSP.index_select(0, index_X),
    )
