"""A batch's plans as the actions that its automaton would take: what is taught (ACCORD brief 3.1).

The plans come as tensors (datamodules.accord.label_tensors), in the order that is taught; here they meet the masks, all rows at once.
Tours, routes and sequences are actions as they stand. Items, bins and starts say what should come next, and the masks say what may:

* knapsack: the plan's items as they are numbered, then the densest that still fit. Augmentation numbers anew, so any part of the plan may
  come first. (With the densest first, which seems natural, a network knows no state in which something else was taken: its own rollouts
  got worse with training.)
* binpack: the items of the open bin in order; equal sizes change places; where a bin is not filled and the mask keeps it open, the next
  item that fits is moved into it, which never makes a bin more.
* jssp: of the machine's jobs the one that begins first in the plan.

B instances, S=1 rollout, A actions, N items, J jobs, O operations, T steps.
"""

import torch
from torch import Tensor

from apps.accord.automata import PAD, Automaton

__all__ = ["lesson"]

Batch = dict[str, Tensor]
LATE = 1 << 62  # after everything that is wanted


def lesson(masked: Automaton, batch: Batch, open_: Automaton | None = None) -> Tensor:
    """(B,T) actions of the plans under a masked automaton; with the unmasked one of the same kind followed by its END."""
    kind = masked.kind
    if kind in ("tsp", "cvrp", "pfsp"):
        actions_BT = batch["plan"]
    else:
        actions_BT = {"knapsack": _knapsack, "binpack": _binpack, "jssp": _jssp}[kind](masked, batch)
    if open_ is not None:
        actions_BT = _ended(actions_BT, open_.action_count(batch) - 1 if open_.extra_end else 0, kind)
    return actions_BT[:, : int((actions_BT != PAD).sum(1).max())]  # steps that no row takes would only cost


def _ended(actions_BT: Tensor, end: int, kind: str) -> Tensor:
    if kind == "knapsack":  # where items were left that could not be taken, END is there already
        actions_BT = actions_BT.masked_fill(actions_BT == end, PAD)
    padded = torch.nn.functional.pad(actions_BT, [0, 1], value=PAD)
    return padded.scatter(1, (actions_BT != PAD).sum(1, keepdim=True), end)


def _first(wish_BA: Tensor, mask_BSA: Tensor) -> Tensor:
    """(B,) the allowed action of the least wish, the lowest of equals; PAD where none is allowed."""
    allowed_BA = mask_BSA[:, 0]
    wish_BA = wish_BA.masked_fill(~allowed_BA, LATE + 1)
    least_BA = wish_BA == wish_BA.amin(1, keepdim=True)
    places = torch.arange(wish_BA.shape[1], device=wish_BA.device)
    action_B = places.masked_fill(~least_BA, wish_BA.shape[1]).amin(1)
    return action_B.masked_fill(~allowed_BA.any(1), PAD)


def _knapsack(automaton: Automaton, batch: Batch) -> Tensor:
    density_BN = batch["values"] / batch["weights"].clamp(min=1)
    rank_BN = density_BN.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    width = rank_BN.shape[1]
    wish_BN = torch.where(batch["plan"] == 1, torch.arange(width, device=rank_BN.device), rank_BN + width)
    wish_BA = torch.nn.functional.pad(wish_BN, [1, 0], value=LATE)  # END when nothing else may come
    state, steps = automaton.reset(batch, 1), []
    for _ in range(automaton.longest(batch)):
        action_B = _first(wish_BA, automaton.mask(batch, state))
        state = automaton.step(batch, state, action_B[:, None])
        steps.append(action_B)
    return _stacked(steps, batch)


def _binpack(automaton: Automaton, batch: Batch) -> Tensor:
    weights_BN, bin_BN = batch["weights"], batch["plan"].clone()
    width = weights_BN.shape[1]
    places = torch.arange(width, device=weights_BN.device)
    left_BN = places < batch["size"][:, None]  # not yet assigned
    open_B = torch.full_like(batch["size"], -1)  # the plan's bin that is being filled
    state, steps = automaton.reset(batch, 1), []
    for _ in range(automaton.longest(batch)):
        mask_BSA = automaton.mask(batch, state)
        wanted_BN = left_BN & (bin_BN == open_B[:, None])
        next_B = places.masked_fill(~wanted_BN, width).amin(1)  # width: none
        weight_B = weights_BN.gather(1, next_B.clamp(max=width - 1)[:, None])[:, 0].masked_fill(next_B == width, -1)
        wish_BN = torch.where(weights_BN == weight_B[:, None], places, places + width)  # the first of the wanted size, else what fits
        action_B = _first(torch.nn.functional.pad(wish_BN, [1, 0], value=LATE), mask_BSA)
        item_B, took_B = (action_B - 1).clamp(min=0), action_B > 0
        bin_B = bin_BN.gather(1, item_B[:, None])[:, 0]
        opening_B = took_B & (open_B < 0)
        open_B = torch.where(opening_B, bin_B, open_B)
        swapped_B = took_B & ~opening_B & (next_B < width) & (weights_BN.gather(1, item_B[:, None])[:, 0] == weight_B)
        other_B = torch.where(swapped_B, next_B, item_B)  # equal sizes change places: the one that was wanted goes where this one was
        bin_BN = torch.where(took_B[:, None] & (places == other_B[:, None]), bin_B[:, None], bin_BN)
        bin_BN = torch.where(took_B[:, None] & (places == item_B[:, None]), open_B[:, None], bin_BN)
        left_BN = left_BN & ~(took_B[:, None] & (places == item_B[:, None]))
        open_B = open_B.masked_fill(action_B == 0, -1)
        state = automaton.step(batch, state, action_B[:, None])
        steps.append(action_B)
    return _stacked(steps, batch)


def _jssp(automaton: Automaton, batch: Batch) -> Tensor:
    starts_BJO = batch["plan"]
    next_BJ = torch.zeros_like(batch["operations"])
    state, steps = automaton.reset(batch, 1), []
    for _ in range(automaton.longest(batch)):
        last = starts_BJO.shape[2] - 1
        wish_BJ = starts_BJO.gather(2, next_BJ.clamp(max=last)[:, :, None])[:, :, 0]
        action_B = _first(wish_BJ, automaton.mask(batch, state))
        state = automaton.step(batch, state, action_B[:, None])
        next_BJ = next_BJ.scatter_add(1, action_B.clamp(min=0)[:, None], (action_B >= 0).long()[:, None])
        steps.append(action_B)
    return _stacked(steps, batch)


def _stacked(steps: list[Tensor], batch: Batch) -> Tensor:
    return torch.stack(steps, 1) if steps else torch.full((len(batch["size"]), 0), PAD, device=batch["size"].device)
