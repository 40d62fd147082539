"""The round trip: action i goes to node i; done when all are visited, and the way back to the first node is counted then.

The first node is open to choice; all rounds are reached from any of them, so a decoder may fix it (`starts`).
B instances, S rollouts, N nodes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, ratio, real, rows, spread
from apps.accord.automata.base import Automaton
from datamodules.accord.solution import Plan

__all__ = ["TSPAutomaton"]


class TSPAutomaton(Automaton):
    def __init__(self, masked: bool = True) -> None:
        super().__init__("tsp", state_width=3, option_width=2, masked=masked)

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["distances"].shape[2]

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["size"]

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        zero_BS = torch.zeros_like(batch["size"].unsqueeze(1).expand(-1, rollouts))
        return {
            "left": spread(real(batch["size"], batch["distances"].shape[2]), rollouts),
            "first": zero_BS - 1,
            "count": zero_BS,
            "cost": zero_BS,
            "length": spread(batch["distances"].sum(2).sum(1), rollouts),  # of all legs together: the scale
        }

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["count"] == batch["size"].unsqueeze(1)

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["left"]

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return spread(real(batch["size"], state["left"].shape[2]), state["left"].shape[1])

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return torch.full_like(action_BS, self.REPEATED).masked_fill(chosen(state["left"], action_BS), self.KEPT)

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        node_BS = action_BS.clamp(min=0)
        left = state["left"]
        new["left"] = left.scatter(2, node_BS.unsqueeze(2), (chosen(left, node_BS) & ~active_BS).unsqueeze(2))
        new["count"] = state["count"] + active_BS.long()
        new["first"] = torch.where(active_BS & (state["count"] == 0), node_BS, state["first"])
        leg_BS = leg(batch["distances"], state["token"], node_BS).masked_fill(state["count"] == 0, 0)
        home_BS = leg(batch["distances"], node_BS, new["first"]) * self.finished(batch, new).long()
        new["cost"] = state["cost"] + (leg_BS + home_BS) * active_BS.long()
        return new

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return action_BS

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return torch.arange(state["left"].shape[2], device=state["left"].device).expand(state["left"].shape)

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["cost"]

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Share of nodes visited, length over that of as many mean legs, the leg back to the first node over the mean leg."""
        size_BS = batch["size"].unsqueeze(1).double()
        home_BS = leg(batch["distances"], state["token"], state["first"])
        return torch.stack(
            [
                ratio(state["count"], size_BS),
                ratio(state["cost"] * (size_BS - 1), state["length"]),
                ratio(home_BS * (size_BS * (size_BS - 1)), state["length"]),
            ],
            2,
        ) * (state["count"] > 0).unsqueeze(2)

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """The leg to each node, and from there back to the first (ours), over the mean leg; 0 before there is a first."""
        size_B1 = batch["size"].unsqueeze(1).double()
        legs_BSN = rows(batch["distances"], state["token"])
        homes_BSN = column(batch["distances"], state["first"])
        begun_BS = (state["count"] > 0) & (state["token"] >= 0)
        length_BS = state["length"].masked_fill(~begun_BS, 0)
        pairs_B1 = size_B1 * (size_B1 - 1)
        return ratio(torch.stack([legs_BSN, homes_BSN], 3) * pairs_B1[:, :, None, None], length_BS[:, :, None, None])

    @torch.jit.export
    def starts(self, batch: dict[str, Tensor]) -> Tensor:
        nodes = torch.arange(batch["distances"].shape[2], device=batch["size"].device)
        return nodes.masked_fill(~real(batch["size"], nodes.shape[0]), -1)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        return tuple(a for a in actions if 0 <= a < instance.size)

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """From node 0, in the plan's direction; with rng from any node, and back to front as often where the distances are symmetric."""
        nodes = [int(node) for node in plan]
        turn = nodes.index(0) if rng is None else int(rng.integers(len(nodes)))
        nodes = nodes[turn:] + nodes[:turn]
        if rng is not None and rng.integers(2) and (instance.distances == instance.distances.T).all():
            nodes = nodes[:1] + nodes[:0:-1]
        return nodes


def leg(distances_BNN: Tensor, start_BS: Tensor, end_BS: Tensor) -> Tensor:
    """(B,S): the distance from one node to another."""
    width = distances_BNN.shape[2]
    return distances_BNN.flatten(1).gather(1, start_BS.clamp(min=0) * width + end_BS.clamp(min=0))


def column(distances_BNN: Tensor, end_BS: Tensor) -> Tensor:
    """(B,S,N): the distance from every node to one."""
    count, width = distances_BNN.shape[0], distances_BNN.shape[2]
    index_BSN = end_BS.clamp(min=0).unsqueeze(2) + torch.arange(width, device=end_BS.device) * width
    return distances_BNN.flatten(1).gather(1, index_BSN.view(count, end_BS.shape[1] * width)).view(count, end_BS.shape[1], width)
