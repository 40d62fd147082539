"""Beam search with exact merges: of beams in equal states, or in a state that another's dominates, one goes on (ACCORD brief 2.4.3).

Shapes: B instances, W beams, X candidates, A actions, N tokens, M machines, T steps.
"""

import torch
from torch import Tensor

from apps.accord.automata import PAD, Automaton
from apps.accord.cache import Cache
from apps.accord.decoding.choosing import log_probs
from apps.accord.decoding.rollouts import Rollouts
from apps.accord.model import Accord
from core_attention.lora import merged

__all__ = ["beam", "surpassed"]

DEAD = torch.finfo(torch.float32).min


@torch.no_grad()
def beam(network: Accord, automaton: Automaton, batch: dict[str, Tensor], width: int) -> Rollouts:
    """The `width` likeliest plans that the beam finds, the likeliest first; where there are fewer, the others are not finished.

    Knapsack beams that have taken the same items are one; so are flow shop beams with the same jobs, of which none that is late everywhere
    goes on. A round trip begins at node 0.
    """
    if width < 1:
        raise ValueError(f"a beam is at least 1 wide, not {width}")
    kind = automaton.kind
    with merged(network, network.adapter(kind)):
        prefix = network.encode(kind, batch)
        state = automaton.reset(batch, width)
        cache = network.begin(prefix, width, automaton.longest(batch))
        score_BW = torch.full(state["stuck"].shape, DEAD, device=prefix.z_BND.device)
        score_BW[:, 0] = 0.0
        actions_BWT = torch.full((*score_BW.shape, 0), PAD, device=score_BW.device)
        while True:
            mask_BWA = automaton.mask(batch, state) & (score_BW > DEAD).unsqueeze(2)
            open_BW = mask_BWA.any(2)
            if not open_BW.any():
                break
            if kind == "tsp" and actions_BWT.shape[2] == 0:
                mask_BWA[:, :, 1:] = False
            args = (automaton.current(batch, state), automaton.features(batch, state))
            args = (*args, automaton.options(batch, state), automaton.entity(batch, state))
            logits_BWA, _, cache = network.step(kind, prefix, cache, *args)
            total_BWA = (log_probs(logits_BWA, mask_BWA, 1.0) + score_BW.unsqueeze(2)).masked_fill(~mask_BWA, DEAD)
            stay_BW1 = score_BW.masked_fill(open_BW, DEAD).unsqueeze(2)
            total_BX, parent_BX, action_BX = _best(torch.cat([total_BWA, stay_BW1], 2), 2 * width)
            moved = automaton.step(batch, _taken(state, parent_BX), action_BX)
            total_BX = total_BX.masked_fill(surpassed(kind, moved, total_BX > DEAD), DEAD)
            score_BW, kept_BW = total_BX.topk(width, 1)
            state = _taken(moved, kept_BW)
            parent_BW = parent_BX.gather(1, kept_BW)
            cache = _follow(cache, parent_BW)
            actions_BWT = torch.cat([_rows(actions_BWT, parent_BW), action_BX.gather(1, kept_BW).unsqueeze(2)], 2)
        done_BW = automaton.done(batch, state) & (score_BW > DEAD) & ~state["stuck"]
        done_BW = done_BW & ~state.get("broken", torch.zeros_like(done_BW))
        return Rollouts(actions_BWT, automaton.objective(batch, state), score_BW, state["stuck"], done_BW)


def _best(total_BWA: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best candidates: their log-probs, which beam they come from, and the action (the last column: none)."""
    A = total_BWA.shape[2]
    total_BX, place_BX = total_BWA.flatten(1).topk(min(count, total_BWA[0].numel()), 1)
    action_BX = (place_BX % A).masked_fill((place_BX % A == A - 1) | (total_BX == DEAD), PAD)
    return total_BX, place_BX // A, action_BX


def surpassed(kind: str, state: dict[str, Tensor], alive_BX: Tensor) -> Tensor:
    """(B,X): another candidate before it is in an equal state, or any other's state is at least as good whatever follows."""
    if kind not in ("knapsack", "pfsp"):
        return torch.zeros_like(alive_BX)
    left_BXN = state["left"].float()
    same_BXX = left_BXN @ left_BXN.transpose(1, 2) + (1 - left_BXN) @ (1 - left_BXN).transpose(1, 2) == left_BXN.shape[2]
    X = alive_BX.shape[1]
    before_XX = torch.ones(X, X, dtype=torch.bool, device=alive_BX.device).triu(1)  # row before column
    if kind == "pfsp":
        front_BXM = state["front"]
        no_later_BXX = (front_BXM.unsqueeze(2) <= front_BXM.unsqueeze(1)).all(3)
        better_BXX = same_BXX & no_later_BXX & (before_XX | ~no_later_BXX.transpose(1, 2))
    else:
        better_BXX = same_BXX & before_XX
    return (better_BXX & alive_BX.unsqueeze(2)).any(1)


def _rows(tensor: Tensor, parent_BX: Tensor) -> Tensor:
    """(B,X,...) of (B,W,...)."""
    place_BX = parent_BX + torch.arange(len(tensor), device=tensor.device).unsqueeze(1) * tensor.shape[1]
    return tensor.flatten(0, 1).index_select(0, place_BX.flatten()).view(*parent_BX.shape, *tensor.shape[2:])


def _taken(state: dict[str, Tensor], parent_BX: Tensor) -> dict[str, Tensor]:
    return {name: _rows(tensor, parent_BX) for name, tensor in state.items()}


def _follow(cache: Cache, parent_BW: Tensor) -> Cache:
    return Cache(
        [_rows(keys, parent_BW) for keys in cache.keys_LBSHTE],
        [_rows(values, parent_BW) for values in cache.values_LBSHTE],
        cache.length,
        _rows(cache.predicted_BSP, parent_BW),
    )
