"""Bins, one after the other: action 0 is CLOSE, action i + 1 puts item i of the descending order into the open bin; done when all lie.

An empty bin takes the largest item that is left; inside a bin indices increase; of equal sizes the first goes first; CLOSE is open exactly
when nothing more fits behind the last item. These cuts keep an optimum: an item moved into an earlier bin never adds one, and the order
inside a bin is free (brief 2.4.3). Items of size zero are no actions: they join the first bin at the end.

B instances, S rollouts, N items.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, first_true, ratio, spread
from apps.accord.automata.base import Automaton
from datamodules.accord.solution import Plan

__all__ = ["BinPackAutomaton"]


class BinPackAutomaton(Automaton):
    def __init__(self, masked: bool = True) -> None:
        super().__init__("binpack", state_width=6, option_width=3, masked=masked)

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["weights"].shape[1] + 1

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return 2 * batch["size"]

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        zero_BS = torch.zeros_like(spread(batch["size"], rollouts))
        return {
            "left": spread(batch["weights"] > 0, rollouts),
            "room": spread(batch["capacity"], rollouts),
            "last": zero_BS - 1,  # index of the last item in the open bin; -1: it is empty
            "bins": zero_BS,
            "packed": zero_BS,  # size of all that lies
            "volume": spread(batch["weights"].sum(1), rollouts),
            "items": spread((batch["weights"] > 0).sum(1), rollouts),
        }

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return ~state["left"].any(2)

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        left, weights_B1N = state["left"], batch["weights"].unsqueeze(1)
        places_N = torch.arange(left.shape[2], device=left.device)
        empty_BS1 = (state["last"] < 0).unsqueeze(2)
        # An equal item stands right before its twin, and twins leave in order: the first of its size has no open twin before it.
        twin_B1N = torch.nn.functional.pad(
            weights_B1N[:, :, 1:] == weights_B1N[:, :, :-1], [left.shape[2] - weights_B1N[:, :, 1:].shape[2], 0]
        )
        before_BSN = torch.nn.functional.pad(left, [1, 0])[:, :, :-1]
        fits_BSN = left & (weights_B1N <= state["room"].unsqueeze(2)) & (places_N > state["last"].unsqueeze(2))
        largest_BSN = places_N == first_true(left).unsqueeze(2)
        items_BSN = torch.where(empty_BS1, largest_BSN, fits_BSN & ~(twin_B1N & before_BSN))
        close_BS1 = ~empty_BS1 & ~fits_BSN.any(2, keepdim=True)
        return torch.cat([close_BS1, items_BSN], 2)

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        items_BSN = spread(batch["weights"] > 0, state["room"].shape[1])
        return torch.nn.functional.pad(items_BSN, [1, 0], value=1.0)

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        rule_BS = torch.full_like(action_BS, self.KEPT).masked_fill(self.weight(batch, action_BS) > state["room"], self.CAPACITY)
        open_BSA = torch.nn.functional.pad(state["left"], [1, 0], value=1.0)
        return rule_BS.masked_fill(~chosen(open_BSA, action_BS), self.REPEATED)

    def weight(self, batch: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """(B,S); 0 of CLOSE."""
        return torch.nn.functional.pad(batch["weights"], [1, 0]).gather(1, action_BS.clamp(min=0))

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        item_BS, close_BS = active_BS & (action_BS > 0), active_BS & (action_BS == 0)
        action = action_BS.clamp(min=0)
        left_BSA = torch.nn.functional.pad(state["left"], [1, 0])
        kept_BS = chosen(left_BSA, action) & ~item_BS
        new["left"] = left_BSA.scatter(2, action.unsqueeze(2), kept_BS.unsqueeze(2))[:, :, 1:]
        size_BS = self.weight(batch, action) * item_BS.long()
        room_BS = torch.where(close_BS, batch["capacity"].unsqueeze(1), state["room"])
        new["room"] = room_BS - size_BS
        new["packed"] = state["packed"] + size_BS
        new["bins"] = state["bins"] + (item_BS & (state["last"] < 0)).long()
        new["last"] = torch.where(item_BS, action - 1, state["last"].masked_fill(close_BS, -1))
        return new

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        return (action_BS - 1).clamp(min=-1)

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        count, rollouts, width = state["left"].shape
        return torch.arange(-1, width, device=state["left"].device).expand(count, rollouts, width + 1)

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Bins begun; one where all there is has size zero."""
        return state["bins"].clamp(min=1) * (batch["size"] > 0).long().unsqueeze(1)

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Room, largest and smallest size left over the capacity; shares of items and of size left; waste of closed bins."""
        left, weights_B1N = state["left"], batch["weights"].unsqueeze(1)
        capacity_B1, items_BS = batch["capacity"].unsqueeze(1), state["items"]
        sizes_BSN = torch.nn.functional.pad(weights_B1N * left, [0, 1])
        shrunk_BSN = torch.nn.functional.pad((capacity_B1.unsqueeze(2) - weights_B1N) * left, [0, 1])
        smallest_BS = (capacity_B1 - shrunk_BSN.amax(2)).masked_fill(~left.any(2), 0)
        used_BS = state["bins"].double() * capacity_B1.double()
        open_BS = state["room"].masked_fill(state["last"] < 0, 0)
        return torch.stack(
            [
                ratio(state["room"], capacity_B1),
                ratio(sizes_BSN.amax(2), capacity_B1),
                ratio(smallest_BS, capacity_B1),
                ratio(left.sum(2), items_BS),
                ratio(state["volume"] - state["packed"], state["volume"]),
                ratio(used_BS - open_BS.double() - state["packed"].double(), used_BS),
            ],
            2,
        )

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """The room that would be left over the capacity, whether the bin would be full, and the room that the best single item behind it
        would leave (ours: what minimum bin slack looks for, one step ahead). CLOSE: the room as it is."""
        rooms_BSA = state["room"].unsqueeze(2) - torch.nn.functional.pad(batch["weights"], [1, 0]).unsqueeze(1)
        capacity_B11 = batch["capacity"][:, None, None]
        filled_BSN = rooms_BSA[:, :, 1:] - self.largest_behind(batch, state, rooms_BSA[:, :, 1:])
        best_BSA = torch.cat([rooms_BSA[:, :, :1], filled_BSN], 2)
        return torch.stack([ratio(rooms_BSA, capacity_B11), (rooms_BSA == 0).float(), ratio(best_BSA, capacity_B11)], 3)

    def largest_behind(self, batch: dict[str, Tensor], state: dict[str, Tensor], rooms_BSN: Tensor) -> Tensor:
        """(B,S,N) size of the largest item left that lies behind item n and fits into its room; 0 where there is none."""
        left, weights_BN = state["left"], batch["weights"]
        width = weights_BN.shape[1]
        places_N = torch.arange(width, device=left.device)
        next_BSN = torch.where(left, places_N, width).flip(2).cummin(2)[0].flip(2)  # the first item left from here on
        first_BSN = torch.searchsorted(-weights_BN, -rooms_BSN.flatten(1)).view(rooms_BSN.shape)  # sizes descend
        from_BSN = torch.maximum(first_BSN, places_N + 1)
        at_BSN = torch.nn.functional.pad(next_BSN, [0, 1], value=float(width)).gather(2, from_BSN)
        return torch.nn.functional.pad(weights_BN, [0, 1]).unsqueeze(1).expand(-1, left.shape[1], -1).gather(2, at_BSN)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        ids = np.argsort(-instance.weights, kind="stable").tolist()
        bins: list[list[int]] = [[]]
        for action in actions:
            if action == 0:
                bins.append([])
            elif 0 < action <= instance.size:
                bins[-1].append(ids[action - 1])
        filled = [one for one in bins if one]
        sizeless = np.flatnonzero(instance.weights == 0).tolist()
        if sizeless:
            filled = [[*filled[0], *sizeless], *filled[1:]] if filled else [sizeless]
        return tuple(tuple(one) for one in filled)

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """Bins by their largest item, items descending: one order only. What fits into an earlier bin moves there, so none is added."""
        weights = instance.weights.tolist()
        sizes = [sorted((weights[item] for item in one if weights[item] > 0), reverse=True) for one in plan]
        sizes = sorted((one for one in sizes if one), reverse=True)
        waiting: dict[int, list[int]] = {}  # the actions of each size, the first in order last
        for place, size in reversed(list(enumerate(sorted(weights, reverse=True)))):
            waiting.setdefault(size, []).append(place + 1)
        actions: list[int] = []
        while sizes:
            sizes.sort(reverse=True)
            now = sizes.pop(0)
            room = instance.capacity - sum(now)
            for size in sorted((size for one in sizes for size in one), reverse=True):
                if size <= room:
                    next(one for one in sizes if size in one).remove(size)
                    now.append(size)
                    room -= size
            sizes = [one for one in sizes if one]
            actions += [0] * bool(actions) + sorted(waiting[size].pop() for size in now)
        return actions
