"""The automata of all kinds under one roof, called by the kind's name: a script cannot pass a module on. Scriptable.

Shapes: B instances, S rollouts, A actions, P and Q widths of phi and psi.
"""

from collections.abc import ItemsView
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from apps.accord.automata import Automaton, automaton
from datamodules.accord.instances import KINDS

__all__ = ["Rules"]

if TYPE_CHECKING:

    class _Automata(nn.ModuleDict):
        def items(self) -> ItemsView[str, Automaton]: ...


class Rules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kinds = cast("_Automata", nn.ModuleDict({kind: automaton(kind) for kind in KINDS}))

    def reset(self, kind: str, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        for name, rules in self.kinds.items():
            if name == kind:
                return rules.reset(batch, rollouts)
        raise ValueError("there is no kind of that name")

    def longest(self, kind: str, batch: dict[str, Tensor]) -> int:
        for name, rules in self.kinds.items():
            if name == kind:
                return rules.longest(batch)
        raise ValueError("there is no kind of that name")

    def mask(self, kind: str, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        for name, rules in self.kinds.items():
            if name == kind:
                return rules.mask(batch, state)
        raise ValueError("there is no kind of that name")

    def step(self, kind: str, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> dict[str, Tensor]:
        for name, rules in self.kinds.items():
            if name == kind:
                return rules.step(batch, state, action_BS)
        raise ValueError("there is no kind of that name")

    def told(self, kind: str, batch: dict[str, Tensor], state: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(current (B,S), features (B,S,P), options (B,S,A,Q), entity (B,S,A))."""
        for name, rules in self.kinds.items():
            if name == kind:
                options_BSAQ, entity_BSA = rules.options(batch, state), rules.entity(batch, state)
                return rules.current(batch, state), rules.features(batch, state), options_BSAQ, entity_BSA
        raise ValueError("there is no kind of that name")

    def objective(self, kind: str, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        for name, rules in self.kinds.items():
            if name == kind:
                return rules.objective(batch, state)
        raise ValueError("there is no kind of that name")
