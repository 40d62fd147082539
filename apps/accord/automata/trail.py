"""A batch of plans as the network is taught them: what it is told at each step, and which decisions would be right.

B instances, T steps, A actions, P and Q the widths of phi and psi.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.base import PAD, Automaton
from datamodules.accord.solution import Plan

__all__ = ["Trail", "replayed", "trail"]


class Trail(NamedTuple):
    current_BT: Tensor
    features_BTP: Tensor
    options_BTAQ: Tensor
    entity_BTA: Tensor
    mask_BTA: Tensor
    free_BT: Tensor  # at least two actions are open: only these steps are learned from
    target_BTA: Tensor  # float32, sums to 1 over the right decisions; 0 where the row is done
    objective_B: Tensor


def replayed(
    automaton: Automaton,
    batch: dict[str, Tensor],
    instances: Sequence[Any],
    plans: Sequence[Plan],
    rng: np.random.Generator | None = None,
) -> Tensor:
    """(B,T): the plans of a batch as actions, PAD behind the shorter ones, END where this batch has it."""
    rows = [automaton.replay(one, plan, rng) for one, plan in zip(instances, plans, strict=True)]
    if automaton.extra_end:
        rows = [[*row[:-1], automaton.action_count(batch) - 1] for row in rows]
    actions_BT = torch.full((len(rows), max([1, *map(len, rows)])), PAD, dtype=torch.int64)
    for row_T, actions in zip(actions_BT, rows, strict=True):
        row_T[: len(actions)] = torch.tensor(actions, dtype=torch.int64)
    return actions_BT.to(batch["size"].device)


def trail(automaton: Automaton, batch: dict[str, Tensor], actions_BT: Tensor) -> Trail:
    """One rollout of each row along its actions. An action that is not open is an error."""
    state = automaton.reset(batch, 1)
    seen: dict[str, list[Tensor]] = {"current": [], "features": [], "options": [], "entity": [], "mask": []}
    for t in range(actions_BT.shape[1]):
        seen["current"].append(automaton.current(batch, state))
        seen["features"].append(automaton.features(batch, state))
        seen["options"].append(automaton.options(batch, state))
        seen["entity"].append(automaton.entity(batch, state))
        seen["mask"].append(automaton.mask(batch, state))
        state = automaton.step(batch, state, actions_BT[:, t : t + 1])
    stacked = {name: torch.cat(parts, 1) for name, parts in seen.items()}
    mask_BTA = stacked["mask"]
    said_BT = actions_BT != PAD
    named_BTA = torch.zeros_like(mask_BTA).scatter(2, actions_BT.clamp(min=0).unsqueeze(2), said_BT.unsqueeze(2))
    if (named_BTA & ~mask_BTA).any():
        row, step, action = (named_BTA & ~mask_BTA).nonzero()[0].tolist()
        raise ValueError(f"{automaton.kind}: action {action} of row {row} is not open at step {step}")
    return Trail(
        stacked["current"],
        stacked["features"],
        stacked["options"],
        stacked["entity"],
        mask_BTA,
        mask_BTA.sum(2) >= 2,
        _targets(named_BTA, mask_BTA, automaton.unordered),
        automaton.objective(batch, state).squeeze(1),
    )


def _targets(named_BTA: Tensor, mask_BTA: Tensor, unordered: bool) -> Tensor:
    """The action of the plan; where the plan is a set, all of its actions that are still to come (END, action 0, in its turn only)."""
    if not unordered:
        return named_BTA.float()
    later_BTA = named_BTA.flip(1).cumsum(1).flip(1) > 0
    later_BTA[:, :, 0] = named_BTA[:, :, 0]
    right_BTA = later_BTA & mask_BTA
    return right_BTA.float() / right_BTA.sum(2, keepdim=True).clamp(min=1)
