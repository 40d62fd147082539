"""What decoding answers.

B instances, S rollouts, T steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Rollouts", "closed_up"]


class Rollouts(NamedTuple):
    actions_BST: Tensor  # int64, -1 behind the last
    objective_BS: Tensor  # int64; of a rollout that is not finished: of the part so far
    logp_BS: Tensor  # of the free decisions, at the temperature of the sampling; forced ones have log-prob 0
    stuck_BS: Tensor  # bool: the automaton found no way to begin
    finished_BS: Tensor  # bool: complete, and no rule broken


def closed_up(columns: list[Tensor]) -> Tensor:
    """(B,S,T) of the actions of each round, (B,S) each: those that waited in between (-1) go to the end."""
    actions_BSI = torch.stack(columns, 2)
    taken_BSI = actions_BSI >= 0
    place_BSI = taken_BSI.cumsum(2)
    length = int(place_BSI[:, :, -1].max()) if actions_BSI.numel() else 0
    closed = actions_BSI.new_full((*actions_BSI.shape[:2], length + 1), -1)  # what waited goes to a place in front, and off
    return closed.scatter_(2, place_BSI * taken_BSI, actions_BSI)[:, :, 1:]
