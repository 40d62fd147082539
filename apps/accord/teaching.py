"""What a batch teaches: its plans as actions, and what the network is told and asked at each of their steps.

B instances, T steps, A actions, P and Q widths of phi and psi.
"""

from functools import cache

import torch
from torch import Tensor

from apps.accord.automata import PAD, Automaton, automaton
from apps.accord.automata.trail import trail
from apps.accord.lessons import lesson
from apps.accord.options import Learn

__all__ = ["Teacher"]

STEPS = ("current", "features", "options", "entity", "mask", "target", "free", "present", "reached")  # what `steps` adds to a batch


class Teacher:
    """The automata of all kinds, as this training uses them."""

    def __init__(self, learn: Learn) -> None:
        self.learn = learn
        self.masked = cache(lambda kind: automaton(kind, **learn.of(kind)))
        self.open = cache(lambda kind: automaton(kind, masked=False, **learn.of(kind)))

    def rules(self, kind: str) -> Automaton:
        """Those that the network learns under."""
        return self.masked(kind) if self.learn.masked else self.open(kind)

    def actions(self, kind: str, batch: dict[str, Tensor]) -> Tensor:
        """(B,T) of the batch's plans, with END where the network has to learn to end."""
        return lesson(self.masked(kind), batch, None if self.learn.masked else self.open(kind))

    def steps(self, kind: str, batch: dict[str, Tensor], actions_BT: Tensor) -> dict[str, Tensor]:
        """The batch with everything that its steps need; `reached` is the objective of the actions."""
        found = trail(self.rules(kind), batch, actions_BT)
        free_BT = found.free_BT
        if kind == "tsp":  # where a round begins is given to the network, never asked
            free_BT = free_BT & (torch.arange(free_BT.shape[1], device=free_BT.device) > 0)
        steps = found.current_BT, found.features_BTP, found.options_BTAQ, found.entity_BTA, found.mask_BTA, found.target_BTA
        return {**batch, **dict(zip(STEPS, (*steps, free_BT, actions_BT != PAD, found.objective_B), strict=True))}

    @staticmethod
    def problems(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The batch without its steps."""
        return {name: tensor for name, tensor in batch.items() if name not in STEPS}
