"""Randomness by counting: the noise of an action is a function of (seed of the instance, symmetry, start, rollout, step, action).

So a rollout is the same whoever shares its batch, however many rollouts there are, and on every machine.
ours: SplitMix64's finaliser as the hash (Steele, Lea, Flood, 2014), in int64 that wraps around.
Shapes: B instances, S rollouts, A actions.
"""

import torch
from torch import Tensor

__all__ = ["gumbel", "keyed", "mix"]


def mix(x: Tensor) -> Tensor:
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def keyed(key: Tensor, counter: Tensor) -> Tensor:
    """A key of its own for every counter >= 0; the two broadcast."""
    return mix(key + (counter + 1) * -7046029254386353131)


def gumbel(key_BS: Tensor, step_BS: Tensor, actions: int) -> Tensor:
    """(B,S,A) float32: the largest of logits + noise is a sample of their softmax."""
    bits_BSA = keyed(keyed(key_BS, step_BS).unsqueeze(2), torch.arange(actions, device=key_BS.device))
    uniform_BSA = (((bits_BSA >> 41) & 0x7FFFFF).float() + 0.5) / 8388608.0  # 23 bits: never 0, never 1
    return -torch.log(-torch.log(uniform_BSA))
