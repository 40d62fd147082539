"""The automaton of a kind: which decisions are open, what each one does, and what the network is told of it (ACCORD brief 2.4.3).

Everything that decides is int64 or bool, batched over B instances and S rollouts, and scriptable. While a masked row is not done it has at
least one open action, and every row that is done is a complete, feasible plan.

Unmasked (`masked=False`, the paper's ablation) every entity that exists is open at each step, and END. END is the kind's own where it has
one (knapsack: action 0); the others get one more action, the last. A breach puts the row into an absorbing state that keeps which rule,
which action and when; nothing else changes any more, and generation goes on to END or to twice the longest masked plan.

A actions, N tokens, T steps, P and Q the widths of phi and psi.
"""

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from apps.accord.automata.arithmetic import spread
from datamodules.accord.packs import pack
from datamodules.accord.solution import Plan

__all__ = ["PAD", "RULES", "Automaton"]

PAD = -1  # the action that leaves a row as it is
RULES = ("kept", "repeated", "capacity", "fleet", "unfinished")  # the names of the codes in state["rule"]


class Automaton(nn.Module):
    """No parameters. A kind gives the methods that raise here; users call the exported ones, `plan` and `replay`."""

    # What an unmasked rollout can break, as places in RULES (a script reads no names of a module).
    KEPT: Final[int] = 0
    REPEATED: Final[int] = 1  # a node, item, job or operation that is already done
    CAPACITY: Final[int] = 2  # more than a vehicle, a bin or the sack holds
    FLEET: Final[int] = 3  # more vehicles than there are
    UNFINISHED: Final[int] = 4  # END, or the last step, before everything was done

    def __init__(
        self, kind: str, state_width: int, option_width: int, masked: bool, own_end: bool = False, unordered: bool = False
    ) -> None:
        super().__init__()
        self.kind = kind
        self.state_width = state_width
        self.option_width = option_width
        self.masked = masked
        self.extra_end = not masked and not own_end  # END is the last action
        self.unordered = unordered  # the plan is a set: any of its entities may come next

    @torch.jit.export
    def action_count(self, batch: dict[str, Tensor]) -> int:
        return self.own_actions(batch) + int(self.extra_end)

    @torch.jit.export
    def longest(self, batch: dict[str, Tensor]) -> int:
        """No rollout of the batch takes more steps."""
        most = int(self.most_steps(batch).max().item())
        return most if self.masked else 2 * max(most, 1)

    @torch.jit.export
    def reset(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        state = self.begin(batch, rollouts)
        size_BS = spread(batch["size"], rollouts)
        if "stuck" not in state:
            state["stuck"] = torch.zeros_like(size_BS, dtype=torch.bool)
        state["token"] = torch.full_like(size_BS, -1)
        if not self.masked:
            state["steps"] = torch.zeros_like(size_BS)
            state["limit"] = spread(2 * self.most_steps(batch).clamp(min=1), rollouts)
            state["ended"] = torch.zeros_like(size_BS, dtype=torch.bool)
            state["broken"] = torch.zeros_like(size_BS, dtype=torch.bool)
            state["rule"] = torch.full_like(size_BS, self.KEPT)
            state["when"] = torch.full_like(size_BS, -1)
            state["which"] = torch.full_like(size_BS, -1)
        return state

    @torch.jit.export
    def done(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        if self.masked:
            return self.finished(batch, state) | state["stuck"]
        return state["ended"] | (state["steps"] >= state["limit"])

    @torch.jit.export
    def mask(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,A) bool: the open actions; none where done."""
        open_BSA = self.allowed(batch, state) if self.masked else self.existing(batch, state)
        if self.extra_end:
            open_BSA = torch.cat([open_BSA, torch.ones_like(state["stuck"]).unsqueeze(2)], 2)
        return open_BSA & ~self.done(batch, state).unsqueeze(2)

    @torch.jit.export
    def step(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> dict[str, Tensor]:
        """PAD, and any action of a row that is done, change nothing."""
        active_BS = (action_BS >= 0) & ~self.done(batch, state)
        if self.masked:
            new = self.advance(batch, state, action_BS, active_BS)
            new["token"] = torch.where(active_BS, self.token_of(batch, state, action_BS), state["token"])
            return new
        return self.unmasked_step(batch, state, action_BS, active_BS)

    def unmasked_step(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        end = self.action_count(batch) - 1 if self.extra_end else 0
        ending_BS = action_BS == end
        action = action_BS.masked_fill(ending_BS, -1)
        early_BS = torch.full_like(action_BS, self.UNFINISHED).masked_fill(self.may_end(batch, state), self.KEPT)
        rule_BS = torch.where(ending_BS, early_BS, self.breach(batch, state, action))
        kept_BS = rule_BS == self.KEPT
        new = self.advance(batch, state, action, active_BS & ~ending_BS & ~state["broken"] & kept_BS)
        new["token"] = torch.where(active_BS, self.token_of(batch, state, action).masked_fill(ending_BS, -1), state["token"])
        new["steps"] = state["steps"] + active_BS.long()
        new["ended"] = state["ended"] | (active_BS & ending_BS)
        out_of_time_BS = active_BS & ~ending_BS & (new["steps"] >= state["limit"]) & ~self.may_end(batch, new)
        rule_BS = torch.where(kept_BS & out_of_time_BS, torch.full_like(rule_BS, self.UNFINISHED), rule_BS)
        first_BS = active_BS & ~state["broken"] & (rule_BS != self.KEPT)
        new["broken"] = state["broken"] | first_BS
        new["rule"] = torch.where(first_BS, rule_BS, state["rule"])
        new["when"] = torch.where(first_BS, state["steps"], state["when"])
        new["which"] = torch.where(first_BS, action_BS, state["which"])
        return new

    @torch.jit.export
    def features(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,P) float32, phi: the numeric state, dimensionless, about -1..1."""
        return self.phi(batch, state)

    @torch.jit.export
    def options(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,A,Q) float32, psi: what each action would mean in this state."""
        psi_BSAQ = self.psi(batch, state)
        return torch.nn.functional.pad(psi_BSAQ, [0, 0, 0, 1]) if self.extra_end else psi_BSAQ

    @torch.jit.export
    def entity(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,A): the token that each action stands for; -1: a special action, with a key of its own."""
        entity_BSA = self.tokens(batch, state)
        return torch.nn.functional.pad(entity_BSA, [0, 1], value=-1.0) if self.extra_end else entity_BSA

    @torch.jit.export
    def current(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S): the token chosen last; -1 before the first step and after an action that is no token."""
        return state["token"]

    @torch.jit.export
    def objective(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S) int64 of a row that is done and unbroken; of the part so far otherwise."""
        return self.value(batch, state)

    @torch.jit.export
    def starts(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,K): the first actions of a multi-start, -1 where padded; none by default (the brief: use samples)."""
        return torch.zeros([batch["size"].shape[0], 0], dtype=torch.int64, device=batch["size"].device)

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        """Actions without the END of the unmasked mode."""
        raise NotImplementedError

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,): T_max of each instance, masked."""
        raise NotImplementedError

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        """The kind's own part of the first state."""
        raise NotImplementedError

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S): the plan is complete."""
        raise NotImplementedError

    def may_end(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S): END would break no rule."""
        return self.finished(batch, state)

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,own): the mask; rows that are done may hold anything."""
        raise NotImplementedError

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,own): every action that is no padding."""
        raise NotImplementedError

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """(B,S): the rule that an action (not END) would break."""
        raise NotImplementedError

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        """A new state; rows that are not active stay as they are."""
        raise NotImplementedError

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """(B,S): the token that an action of the kind's own lays down."""
        raise NotImplementedError

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        """One rollout (specials and PAD included) as a plan in the instance's own ids; of an unmasked one whatever was said."""
        raise NotImplementedError

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """A feasible plan as actions of the kind's own."""
        raise NotImplementedError

    def replay(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """A feasible plan as actions that the masks allow, in a canonical order (brief 3.1); with `rng` another of its equal orders.

        Unmasked, END comes last: the index that it has in a batch of this instance alone.
        """
        actions = self.ordered(instance, plan, rng)
        return [*actions, self.action_count(pack([instance])) - 1] if self.extra_end else actions
