"""Routes from the depot: action 0 drives home, action i serves customer i; done when all are served, and the last way home is counted then.

The depot never comes twice in a row. With a hard fleet an action is open only where the rest can still be served (certificate.py);
`stuck` marks the rows where no way to serve all was found at the reset. A batch may bring plans as certificates (`certified`).
An unmasked rollout may say the depot at the depot: nothing happens.

B instances, S rollouts, N nodes (0 the depot), K vehicles.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, ratio, real, rows, spread
from apps.accord.automata.base import Automaton
from apps.accord.automata.certificate import NODES, first_certificate, fleet_mask, looked_ahead, most_vehicles, renewed
from apps.accord.automata.tsp import column, leg
from datamodules.accord.solution import Plan

__all__ = ["CVRPAutomaton"]


class CVRPAutomaton(Automaton):
    def __init__(self, masked: bool = True) -> None:
        super().__init__("cvrp", state_width=6, option_width=3, masked=masked)
        self.nodes = NODES

    def own_actions(self, batch: dict[str, Tensor]) -> int:
        return batch["demands"].shape[1]

    def most_steps(self, batch: dict[str, Tensor]) -> Tensor:
        return 2 * batch["size"] - 1

    def begin(self, batch: dict[str, Tensor], rollouts: int) -> dict[str, Tensor]:
        real_BN = real(batch["size"], batch["demands"].shape[1])
        real_BN[:, 0] = False
        zero_BS = torch.zeros_like(spread(batch["size"], rollouts))
        state = {
            "left": spread(real_BN, rollouts),
            "room": spread(batch["capacity"], rollouts),
            "trips": zero_BS,  # returns to the depot
            "cost": zero_BS,
            "demand": spread(batch["demands"].sum(1), rollouts),  # of those who are not served
            "length": spread(batch["distances"].sum(2).sum(1), rollouts),
        }
        if self.masked and bool((batch["fleet"] > 0).any().item()):
            slot_BN, found_B = first_certificate(batch, self.nodes)
            state["slot"] = spread(slot_BN, rollouts)
            state["stuck"] = spread(~found_B, rollouts)
            vehicles_K = torch.arange(most_vehicles(batch), device=slot_BN.device)
            state["vehicle"] = vehicles_K.expand(slot_BN.shape[0], rollouts, vehicles_K.shape[0])
            state = looked_ahead(batch, state)
        return state

    def finished(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return ~state["left"].any(2)

    def allowed(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        open_BSN = state["left"] & (batch["demands"].unsqueeze(1) <= state["room"].unsqueeze(2))
        away_BS = state["token"] > 0
        more_BS = (batch["fleet"].unsqueeze(1) == 0) | (state["trips"] + 1 < batch["fleet"].unsqueeze(1))
        open_BSN = torch.cat([(away_BS & more_BS).unsqueeze(2), open_BSN[:, :, 1:]], 2)
        return fleet_mask(batch, state, open_BSN) if "slot" in state else open_BSN

    def existing(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return spread(real(batch["size"], state["left"].shape[2]), state["left"].shape[1])

    def breach(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        fleet_B1 = batch["fleet"].unsqueeze(1)
        none_left_BS = (fleet_B1 > 0) & (state["trips"] >= fleet_B1)
        rule_BS = torch.full_like(action_BS, self.KEPT).masked_fill(none_left_BS, self.FLEET)
        rule_BS = rule_BS.masked_fill(self.asked(batch, action_BS) > state["room"], self.CAPACITY)
        rule_BS = rule_BS.masked_fill(~chosen(state["left"], action_BS), self.REPEATED)
        return rule_BS.masked_fill(action_BS == 0, self.KEPT)

    def asked(self, batch: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """(B,S): the demand of a node."""
        return batch["demands"].gather(1, action_BS.clamp(min=0))

    def advance(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> dict[str, Tensor]:
        new = state.copy()
        node_BS = action_BS.clamp(min=0)
        home_BS = active_BS & (action_BS == 0)
        if "slot" in state:
            new["slot"] = renewed(batch, state, node_BS, active_BS)
        left = state["left"]
        new["left"] = left.scatter(2, node_BS.unsqueeze(2), (chosen(left, node_BS) & ~active_BS).unsqueeze(2))
        demand_BS = self.asked(batch, node_BS) * active_BS.long()
        new["demand"] = state["demand"] - demand_BS
        new["room"] = torch.where(home_BS, batch["capacity"].unsqueeze(1), state["room"] - demand_BS)
        new["trips"] = state["trips"] + (home_BS & (state["token"] > 0)).long()
        leg_BS = leg(batch["distances"], state["token"], node_BS)
        # The last way home belongs to the last customer: a depot that an unmasked rollout says after it adds nothing.
        leg_BS = leg_BS.masked_fill(self.finished(batch, state), 0)
        last_BS = leg(batch["distances"], node_BS, torch.zeros_like(node_BS)) * self.finished(batch, new).long()
        new["cost"] = state["cost"] + (leg_BS + last_BS.masked_fill(home_BS, 0)) * active_BS.long()
        return looked_ahead(batch, new) if "slot" in new else new

    def token_of(self, batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor) -> Tensor:
        """The depot is a token too: the vehicle stands there."""
        return action_BS

    def tokens(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """The decision to drive home has a key of its own."""
        nodes = torch.arange(state["left"].shape[2], device=state["left"].device)
        return nodes.masked_fill(nodes == 0, -1).expand(state["left"].shape)

    def value(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return state["cost"]

    def phi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """Shares of customers and of demand left, room over capacity, way home over the mean leg, length over that of as many mean legs as
        nodes, spare room of a hard fleet over what it holds (1 where it is free)."""
        size_B1, capacity_B1, fleet_B1 = batch["size"].unsqueeze(1).double(), batch["capacity"].unsqueeze(1), batch["fleet"].unsqueeze(1)
        home_BS = leg(batch["distances"], state["token"], torch.zeros_like(state["token"]))
        later_BS = (fleet_B1 - 1 - state["trips"]).double() * capacity_B1.double()
        spare_BS = ratio(state["room"].double() + later_BS - state["demand"].double(), fleet_B1.double() * capacity_B1.double())
        return torch.stack(
            [
                ratio(state["left"].sum(2), size_B1 - 1),
                ratio(state["demand"], batch["demands"].sum(1, keepdim=True)),
                ratio(state["room"], capacity_B1),
                ratio(home_BS * (size_B1 * (size_B1 - 1)), state["length"]),
                ratio(state["cost"] * (size_B1 - 1), state["length"]),
                spare_BS.masked_fill(fleet_B1 == 0, 1.0),
            ],
            2,
        )

    def psi(self, batch: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        """The leg to each node and from there home (ours) over the mean leg, the room that would be left over the capacity."""
        size_B1 = batch["size"].unsqueeze(1).double()
        pairs_B11 = (size_B1 * (size_B1 - 1)).unsqueeze(2)
        length_BS1 = state["length"].unsqueeze(2)
        legs_BSN = ratio(rows(batch["distances"], state["token"]) * pairs_B11, length_BS1)
        homes_BSN = ratio(column(batch["distances"], torch.zeros_like(state["token"])) * pairs_B11, length_BS1)
        rooms_BSN = state["room"].unsqueeze(2) - batch["demands"].unsqueeze(1)
        return torch.stack([legs_BSN, ratio(rooms_BSN, batch["capacity"][:, None, None]), homes_BSN], 3)

    @torch.jit.export
    def starts(self, batch: dict[str, Tensor]) -> Tensor:
        customers = torch.arange(1, batch["demands"].shape[1], device=batch["size"].device)
        return customers.masked_fill(customers >= batch["size"].unsqueeze(1), -1)

    def plan(self, instance: Any, actions: list[int]) -> Plan:
        routes: list[list[int]] = [[]]
        for action in actions:
            if action == 0:
                routes.append([])
            elif 0 < action <= instance.size:
                routes[-1].append(action)
        return tuple(tuple(route) for route in routes if route)

    def ordered(self, instance: Any, plan: Plan, rng: np.random.Generator | None = None) -> list[int]:
        """Routes by the angle of their centres around the depot (by their lowest customer where there are no coordinates).

        With rng from a random route on, and each in a random direction where the distances are symmetric. A hard fleet's masks allow it
        for sure where the batch is `certified` by the plan.
        """
        routes = [[int(node) for node in route] for route in plan if len(route)]
        if instance.xy is None:
            routes.sort(key=min)
        else:
            centres = [instance.xy[route].mean(0) - instance.xy[0] for route in routes]
            angles = [float(np.arctan2(centre[1], centre[0])) for centre in centres]
            routes = [routes[k] for k in sorted(range(len(routes)), key=lambda k: (angles[k], min(routes[k])))]
        if rng is not None and routes:
            turn = int(rng.integers(len(routes)))
            routes = routes[turn:] + routes[:turn]
            if (instance.distances == instance.distances.T).all():
                routes = [route[::-1] if rng.integers(2) else route for route in routes]
        return [action for route in routes for action in (0, *route)][1:]
