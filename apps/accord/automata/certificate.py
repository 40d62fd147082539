"""Certificates of a hard fleet: a vehicle for each customer that is left, such that all loads fit. While a state has one, it has a way on.

A customer may come next where the certificate survives: it is in the current vehicle already; the vehicle is empty (all empty vehicles are
alike); the certificate leaves room for it there; it can change places with a customer of the current vehicle; or first-fit decreasing
finds a new certificate for the rest. The depot may come next where the certificate has nothing more for the current vehicle, or first fit
serves the rest without it. The third and fourth are ours: they cost less than first fit and find more.

Vehicles are counted in the order of their trips: `slot` says which one serves a customer, `trips` is the current one.
B instances, S rollouts, N nodes, K vehicles, R rows that first fit has to look at.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from apps.accord.automata.arithmetic import chosen, spread
from apps.accord.automata.packing_search import packed
from datamodules.accord.solution import Plan

__all__ = ["certified", "first_certificate", "fleet_mask", "looked_ahead", "most_vehicles", "renewed"]

NODES = 50_000  # of the exact search at the reset: about a tenth of a second


def certified(batch: dict[str, Tensor], plans: Sequence[Plan]) -> dict[str, Tensor]:
    """The batch with a feasible plan of each instance as its first certificate: its decisions are then open at every step."""
    slot_BN = torch.zeros_like(batch["demands"])
    for row_N, plan in zip(slot_BN, plans, strict=True):
        for vehicle, route in enumerate(plan):
            row_N[torch.tensor(route, dtype=torch.int64)] = vehicle
    return batch | {"certificate": slot_BN}


def first_certificate(batch: dict[str, Tensor], budget: int) -> tuple[Tensor, Tensor]:
    """(B,N) the vehicle of each customer, (B,) whether there is one: the one given, else first fit's, else that of the exact search."""
    demands_BN, capacity_B, fleet_B = batch["demands"], batch["capacity"], batch["fleet"]
    vehicles = most_vehicles(batch)
    free_BK = rooms(capacity_B, capacity_B, fleet_B - 1, vehicles)
    slot_BN, found_B = first_fit(demands_BN, demands_BN > 0, free_BK)
    if "certificate" in batch:
        given_BN = batch["certificate"]
        known_BN = (given_BN >= 0) & (given_BN < fleet_B.clamp(max=vehicles).unsqueeze(1))
        load_BK = torch.zeros_like(free_BK).scatter_add(1, given_BN.clamp(0, vehicles - 1), demands_BN)
        good_B = known_BN.all(1) & (load_BK <= capacity_B.unsqueeze(1)).all(1)
        slot_BN = torch.where(good_B.unsqueeze(1), given_BN, slot_BN)
        found_B = found_B | good_B
    found_B = found_B | (fleet_B == 0)
    for row in torch.nonzero(~found_B).flatten().unbind(0):  # the few that first fit cannot serve
        b = int(row.item())
        order_N = torch.argsort(demands_BN[b], descending=True, stable=True)
        sizes: list[int] = demands_BN[b][order_N].tolist()
        search = packed(sizes, int(capacity_B[b].item()), int(fleet_B[b].item()), budget)
        if len(search) > 0:
            slot_BN[b, order_N] = torch.tensor(search, dtype=torch.int64, device=slot_BN.device)
            found_B[b] = True
    return slot_BN, found_B


def most_vehicles(batch: dict[str, Tensor]) -> int:
    """K: as many as the largest fleet, and no more than there are customers."""
    return max(1, min(int(batch["fleet"].max().item()), batch["demands"].shape[1] - 1))


def rooms(now_R: Tensor, capacity_R: Tensor, later_R: Tensor, vehicles: int) -> Tensor:
    """(R,K): the room of the current vehicle and of those after it; -1 where there is none, so that not even a demand of 0 fits."""
    later_RK = torch.arange(vehicles, device=now_R.device).unsqueeze(0) <= later_R.unsqueeze(1)
    free_RK = torch.where(later_RK, capacity_R.unsqueeze(1), torch.full_like(capacity_R, -1).unsqueeze(1))
    free_RK[:, 0] = now_R
    return free_RK


def first_fit(demands_RN: Tensor, waiting_RN: Tensor, free_RK: Tensor) -> tuple[Tensor, Tensor]:
    """(R,N) vehicle of each node that waits, (R,) whether all were served: first-fit decreasing, all rows at once, customer by customer."""
    vehicles = free_RK.shape[1]
    places_K = torch.arange(vehicles, device=free_RK.device)
    # Who does not wait comes last, asks for -1, and so fits everywhere and takes nothing.
    sorted_RN, node_RN = demands_RN.masked_fill(~waiting_RN, -1).sort(dim=1, descending=True, stable=True)
    served_R = torch.ones_like(demands_RN[:, 0], dtype=torch.bool)
    slot_RN = torch.zeros_like(demands_RN)
    for place in range(int(waiting_RN.sum(1).max().item())):
        demand_R1 = sorted_RN[:, place : place + 1]
        vehicle_R1 = places_K.masked_fill(free_RK < demand_R1, vehicles).amin(1, keepdim=True)
        served_R = served_R & (vehicle_R1 < vehicles).squeeze(1)
        vehicle_R1 = vehicle_R1.clamp(max=vehicles - 1)
        free_RK = free_RK.scatter_add(1, vehicle_R1, -demand_R1.clamp(min=0))
        slot_RN = slot_RN.scatter(1, node_RN[:, place : place + 1], vehicle_R1)
    return slot_RN * waiting_RN.long(), served_R


def surely_fits(demand_R: Tensor, most_R: Tensor, now_R: Tensor, capacity_R: Tensor, later_R: Tensor) -> Tensor:
    """(R,): D <= F - k (max q - 1), so that first fit succeeds in any order (brief 2.4.3); without products, which could overflow.

    `now_R` is -1 where the current vehicle is not to be used.
    """
    less_R = (most_R - 1).clamp(min=0)
    used_R = now_R >= 0
    # now - less + later * (capacity - less) >= demand
    missing_R = demand_R - torch.where(used_R, now_R - less_R, torch.zeros_like(now_R))
    gain_R = (capacity_R - less_R).clamp(min=1)
    return torch.div(missing_R + gain_R - 1, gain_R, rounding_mode="floor") <= later_R


def fleet_mask(batch: dict[str, Tensor], state: dict[str, Tensor], open_BSN: Tensor) -> Tensor:
    """(B,S,N): which of the open actions (0 the depot) keep a certificate. Free fleets keep all."""
    hard_BS = (batch["fleet"].unsqueeze(1) > 0) & ~state["stuck"]
    doubtful_BSN = open_BSN & ~state["keeps"] & hard_BS.unsqueeze(2)
    row_RX = torch.nonzero(doubtful_BSN)
    if row_RX.shape[0] == 0:
        return open_BSN
    good_R = torch.ones_like(row_RX[:, 0], dtype=torch.bool)
    b, s, i = row_RX.unbind(1)
    sure_R = sure(batch, state, b, s, i)
    unsure = torch.nonzero(~sure_R).flatten()
    if unsure.shape[0] > 0:
        _, good_U = refitted(batch, state, b[unsure], s[unsure], i[unsure])
        good_R = good_R.index_put([unsure], good_U)
    return open_BSN.index_put([b, s, i], good_R)


def renewed(batch: dict[str, Tensor], state: dict[str, Tensor], action_BS: Tensor, active_BS: Tensor) -> Tensor:
    """(B,S,N): the certificate after an action that `fleet_mask` left open."""
    slot_BSN = state["slot"]
    hard_BS = active_BS & (batch["fleet"].unsqueeze(1) > 0)
    trips_BS = state["trips"]
    own_BS = chosen(slot_BSN, action_BS)
    empty_BS = state["room"] == batch["capacity"].unsqueeze(1)
    moved_BS = hard_BS & (action_BS > 0) & (own_BS != trips_BS)
    # An empty vehicle takes the place of the one that the customer was in.
    swapped_BSN = torch.where(
        slot_BSN == own_BS.unsqueeze(2),
        trips_BS.unsqueeze(2),
        torch.where(slot_BSN == trips_BS.unsqueeze(2), own_BS.unsqueeze(2), slot_BSN),
    )
    new_BSN = torch.where((moved_BS & empty_BS).unsqueeze(2), swapped_BSN, slot_BSN)
    # A partner goes where the customer was.
    partner_BS = chosen(state["partner"], action_BS)
    changed_BS = moved_BS & ~empty_BS & (partner_BS >= 0)
    place_BS1 = partner_BS.clamp(min=0).unsqueeze(2)
    new_BSN = new_BSN.scatter(2, place_BS1, torch.where(changed_BS.unsqueeze(2), own_BS.unsqueeze(2), new_BSN.gather(2, place_BS1)))
    row_RX = torch.nonzero(hard_BS & ~chosen(state["keeps"], action_BS))
    if row_RX.shape[0] == 0:
        return new_BSN
    b, s = row_RX.unbind(1)
    slot_RN, _ = refitted(batch, state, b, s, action_BS[b, s])
    return new_BSN.index_put([b, s], slot_RN)


def looked_ahead(batch: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Adds (B,S,N) `keeps`: actions that keep the certificate, or need one exchange; `partner`: with whom, -1: none is needed."""
    left_BSN, slot_BSN, trips_BS, room_BS = state["left"], state["slot"], state["trips"], state["room"]
    demands_BSN = spread(batch["demands"], left_BSN.shape[1])
    capacity_BS = batch["capacity"].unsqueeze(1).expand_as(room_BS)
    mine_BSN = left_BSN & (slot_BSN == trips_BS.unsqueeze(2))
    load_BSK = torch.zeros_like(state["vehicle"]).scatter_add(2, slot_BSN, demands_BSN * left_BSN.long())
    spare_BS1 = room_BS.unsqueeze(2) - (demands_BSN * mine_BSN.long()).sum(2, keepdim=True)
    simple_BSN = mine_BSN | (room_BS == capacity_BS).unsqueeze(2) | (demands_BSN <= spare_BS1)
    # An exchange with a customer of mine: large enough to make room for the newcomer, small enough for the newcomer's old place.
    most_BSN = capacity_BS.unsqueeze(2) - load_BSK.gather(2, slot_BSN) + demands_BSN
    never = 9223372036854775807
    sorted_BSN, index_BSN = demands_BSN.masked_fill(~mine_BSN, never).sort(dim=2, stable=True)
    at_BSN = torch.searchsorted(sorted_BSN, (demands_BSN - spare_BS1).contiguous()).clamp(max=left_BSN.shape[2] - 1)
    fits_BSN = (sorted_BSN.gather(2, at_BSN) <= most_BSN) & ~simple_BSN
    partner_BSN = index_BSN.gather(2, at_BSN).masked_fill(~fits_BSN, -1)
    keeps_BSN = simple_BSN | fits_BSN
    state["keeps"] = torch.cat([~mine_BSN.any(2, keepdim=True), keeps_BSN[:, :, 1:]], 2)
    state["partner"] = partner_BSN
    return state


def residual(batch: dict[str, Tensor], state: dict[str, Tensor], b: Tensor, s: Tensor, i: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """After action i: (R,N) who still waits, (R,) the room of the current vehicle (-1 after the depot), its capacity, vehicles after it."""
    left_RN = state["left"][b, s]
    waiting_RN = left_RN.scatter(1, i.unsqueeze(1), torch.zeros_like(left_RN[:, :1]))
    now_R = (state["room"][b, s] - batch["demands"][b, i]).masked_fill(i == 0, -1)
    return waiting_RN, now_R, batch["capacity"][b], batch["fleet"][b] - state["trips"][b, s] - 1


def sure(batch: dict[str, Tensor], state: dict[str, Tensor], b: Tensor, s: Tensor, i: Tensor) -> Tensor:
    waiting_RN, now_R, capacity_R, later_R = residual(batch, state, b, s, i)
    demands_RN = batch["demands"][b] * waiting_RN.long()
    return surely_fits(demands_RN.sum(1), demands_RN.amax(1), now_R, capacity_R, later_R)


def refitted(batch: dict[str, Tensor], state: dict[str, Tensor], b: Tensor, s: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
    """(R,N) a new certificate by first fit, (R,) whether it serves all."""
    waiting_RN, now_R, capacity_R, later_R = residual(batch, state, b, s, i)
    slot_RN, served_R = first_fit(batch["demands"][b], waiting_RN, rooms(now_R, capacity_R, later_R, state["vehicle"].shape[2]))
    return slot_RN + state["trips"][b, s].unsqueeze(1) * waiting_RN.long(), served_R
