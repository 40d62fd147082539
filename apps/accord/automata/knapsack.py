"""The sack: action 0 is END, action i + 1 takes item i; done when nothing more fits.

`end="maximal"`: END is closed while an item can be taken, so that no rollout stops with room for more. `end="free"`: END is always open.
An item without value, or heavier than the sack holds, is never taken; one without weight and with value is taken at the reset and is no
action, masked or not. A plan that is not maximal is replayed as one that is.

B instances, S rollouts, N items.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, ratio, real, spread
from apps.accord.automata.base import Automaton
from datamodules.accord.solution import Plan

__all__ = ["KnapsackAutomaton"]


class KnapsackAutomaton(Automaton):
    def __init__(self, end: Literal["maximal", "free"] = "maximal", masked: bool = True) -> None:
        if end not in ("maximal", "free"):
            raise ValueError(f"end={end!r}; it is 'maximal' or 'free'")
        super().__init__("knapsack", state_width=6, option_width=2, masked=masked, own_end=True, unordered=True)
        self.free = end == "free"

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["weights"].shape[1] + 1

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["size"] + 1

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        present_BN = real(batch["size"], batch["weights"].shape[1])
        weightless_BN = present_BN & (batch["weights"] == 0)
        # Without a mask everything that is not taken already can be said, also what is worth nothing or too heavy.
        takeable_BN = present_BN & (batch["weights"] > 0)
        if self.masked:
            takeable_BN = takeable_BN & (batch["values"] > 0) & (batch["weights"] <= batch["capacity"].unsqueeze(1))
        return {
            "left": spread(takeable_BN, rollouts),
            "room": spread(batch["capacity"], rollouts),
            "value": spread((batch["values"] * weightless_BN).sum(1), rollouts),
            "count": torch.zeros_like(spread(batch["size"], rollouts)),
            "ended": torch.zeros_like(spread(batch["size"], rollouts), dtype=torch.bool),
            "worth": spread(batch["values"].sum(1), rollouts),
        }

    def fitting(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """(B,S,N): the items that can still be taken."""
        return state["left"] & (batch["weights"].unsqueeze(1) <= state["room"].unsqueeze(2))

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["ended"] | ~self.fitting(batch, state).any(2)

    def may_end(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return torch.ones_like(state["ended"])

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        fitting_BSN = self.fitting(batch, state)
        # Everything that fits here has value: END of the maximal mode would only be open where the row is done.
        end_BS = torch.full_like(state["ended"], self.free)
        return torch.cat([end_BS.unsqueeze(2), fitting_BSN], 2)

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        offered_BN = real(batch["size"], batch["weights"].shape[1]) & (batch["weights"] > 0)
        offered_BSN = spread(offered_BN, state["room"].shape[1])
        return torch.cat([torch.ones_like(state["ended"]).unsqueeze(2), offered_BSN], 2)

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        heavy_BS = self.weight(batch, action_BS) > state["room"]
        rule_BS = torch.full_like(action_BS, self.KEPT).masked_fill(heavy_BS, self.CAPACITY)
        return rule_BS.masked_fill(~self.still(state["left"], action_BS), self.REPEATED)

    def weight(self, batch: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """(B,S); 0 of END."""
        padded_BA = torch.nn.functional.pad(batch["weights"], [1, 0])
        return padded_BA.gather(1, action_BS.clamp(min=0))

    def still(self, left_BSN: Tensor, action_BS: Tensor) -> Tensor:
        """(B,S): the action is an item that is not taken; True of END."""
        return chosen(torch.nn.functional.pad(left_BSN, [1, 0], value=1.0), action_BS)

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        item_BS = active_BS & (action_BS > 0)
        action = action_BS.clamp(min=0)
        left_BSA = torch.nn.functional.pad(state["left"], [1, 0])
        kept_BS = chosen(left_BSA, action) & ~item_BS
        new["left"] = left_BSA.scatter(2, action.unsqueeze(2), kept_BS.unsqueeze(2))[:, :, 1:]
        new["room"] = state["room"] - self.weight(batch, action) * item_BS.long()
        gain_BS = torch.nn.functional.pad(batch["values"], [1, 0]).gather(1, action)
        new["value"] = state["value"] + gain_BS * item_BS.long()
        new["count"] = state["count"] + item_BS.long()
        new["ended"] = state["ended"] | (active_BS & (action_BS == 0))
        return new

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return (action_BS - 1).clamp(min=-1)

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        count, rollouts, width = state["left"].shape
        return torch.arange(-1, width, device=state["left"].device).expand(count, rollouts, width + 1)

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["value"]

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Room over capacity, value over all value, shares of the items taken, left and still fitting, room over the weight that fits."""
        fitting_BSN = self.fitting(batch, state)
        size_BS = batch["size"].unsqueeze(1)
        weight_BS = (batch["weights"].unsqueeze(1) * fitting_BSN).sum(2)
        return torch.stack(
            [
                ratio(state["room"], batch["capacity"].unsqueeze(1)),
                ratio(state["value"], state["worth"]),
                ratio(state["count"], size_BS),
                ratio(state["left"].sum(2), size_BS),
                ratio(fitting_BSN.sum(2), size_BS),
                ratio(state["room"], weight_BS).clamp(max=1),
            ],
            2,
        )

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """The room that would be left over the capacity; value per weight over the best that fits (ours). END: the room, and 0."""
        capacity_B11 = batch["capacity"][:, None, None]
        fitting_BSN = self.fitting(batch, state)
        rooms_BSA = state["room"].unsqueeze(2) - torch.nn.functional.pad(batch["weights"], [1, 0]).unsqueeze(1)
        density_BN = batch["values"].double() / batch["weights"].clamp(min=1).double()
        density_BSN = density_BN.unsqueeze(1) * fitting_BSN
        best_BS1 = torch.nn.functional.pad(density_BSN, [0, 1]).amax(2, keepdim=True)
        return torch.stack([ratio(rooms_BSA, capacity_B11), torch.nn.functional.pad(ratio(density_BSN, best_BS1), [1, 0])], 3)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        weightless = np.flatnonzero((instance.weights == 0) & (instance.values > 0)).tolist()
        return tuple(sorted(weightless + [a - 1 for a in actions if a > 0]))

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """The most valuable by weight first, or shuffled; then what else fits. END closes it where it is open and not implied."""
        weights, values = instance.weights.tolist(), instance.values.tolist()
        order = sorted(range(instance.size), key=lambda i: (-values[i] / max(weights[i], 1), i))
        if rng is not None:
            order = [order[k] for k in rng.permutation(len(order))]
        members = {int(item) for item in plan}
        room, actions = instance.capacity, []
        passes = [members] if self.free else [members, set(order) - members]
        for wanted in passes:
            for item in order:
                if item in wanted and values[item] > 0 and 0 < weights[item] <= room:
                    actions.append(item + 1)
                    room -= weights[item]
        taken = {action - 1 for action in actions}
        fits = any(values[i] > 0 and 0 < weights[i] <= room for i in order if i not in taken)
        return [*actions, 0] if fits or not self.masked else actions
