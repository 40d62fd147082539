"""The decode loop (ACCORD brief 2.4.3): the prefix once, then mask, network, choice, step, until every rollout is done.

Where a step depends on the state alone (`network.markov`), forced steps are taken without the network, and rows that have a choice wait for
those that have none. Otherwise all rows go in step, because also a forced token must leave its keys and values in the cache.
Shapes: B instances (times symmetries), S rollouts (starts times samples), A actions, T steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from apps.accord.automata import PAD, Automaton
from apps.accord.cache import Cache, Prefix, select, select_cache
from apps.accord.decoding.choosing import choose, log_probs
from apps.accord.decoding.noise import gumbel, keyed
from apps.accord.decoding.rollouts import Rollouts, closed_up
from apps.accord.decoding.symmetries import SYMMETRIES, mirrored
from apps.accord.model import Accord
from core_attention.lora import merged

__all__ = ["decode"]


@torch.no_grad()
def decode(
    network: Accord,
    automaton: Automaton,
    batch: dict[str, Tensor],
    *,
    rollouts: int = 1,
    starts: bool = False,
    augment: int = 1,
    greedy: bool = True,
    temperature: float = 1.0,
    seeds_B: Tensor | None = None,
    routes: Tensor | None = None,
    stop: Callable[[], bool] | None = None,
) -> Rollouts:
    """Rollouts of each instance of a batch of `pack`: symmetries x starts x rollouts of them, the last running fastest.

    rollouts: samples of each start; a greedy rollout is always the same, so there is one. starts: one for each first node, customer or job;
    an instance with fewer of them than another repeats its first. A round trip without `starts` begins at node 0.
    augment: how many of the square's eight symmetries. seeds_B: one for each instance; None: 0. routes: as of the network's `encode`;
    None: the kind's own adapter. stop: asked before every step; True ends the decoding, with what is finished marked.

    >>> best_B = decode(network, automaton("tsp"), pack(instances), starts=True, augment=8).objective_BS.amin(1)
    """
    if rollouts < 1:
        raise ValueError(f"rollouts is at least 1, not {rollouts}")
    if greedy and rollouts > 1:
        raise ValueError(f"rollouts={rollouts}: greedy ones are all alike; give greedy=False")
    if temperature <= 0:
        raise ValueError(f"temperature is above 0, not {temperature}; greedy=True is its limit")
    if not 1 <= augment <= len(SYMMETRIES):
        raise ValueError(f"augment is 1..{len(SYMMETRIES)}, not {augment}")
    if augment > 1 and "xy" not in batch:
        raise ValueError(f"augment={augment}: {automaton.kind} has no coordinates to turn")
    B = batch["size"].shape[0]
    first_BK = _first(automaton, batch, starts)
    key_BGKR = _keys(batch["size"], seeds_B, augment, first_BK.shape[1], rollouts)
    S = first_BK.shape[1] * rollouts
    first_BS = first_BK.repeat_interleave(rollouts, 1).repeat_interleave(augment, 0)
    if augment > 1:
        batch = mirrored(batch, augment)
        routes = None if routes is None else routes.repeat_interleave(augment, 0)
    expert, routes = _alike(network, automaton.kind, routes)
    with merged(network, expert):
        rows = _Rows.start(network, automaton, batch, first_BS, None if greedy else key_BGKR.view(B * augment, S), routes)
        found = _run(network, automaton, rows, temperature, stop)
    return Rollouts(*(part.reshape(B, augment * S, *part.shape[2:]) for part in found))


def _first(automaton: Automaton, batch: dict[str, Tensor], starts: bool) -> Tensor:
    """(B,K): the first action of each start; -1: it is the network's to choose."""
    if starts:
        first_BK = automaton.starts(batch)
        if first_BK.shape[1] == 0:
            raise ValueError(f"starts: {automaton.kind} has none; use rollouts")
        return torch.where(first_BK < 0, first_BK[:, :1], first_BK)
    # a round trip may begin anywhere: nothing is lost
    return torch.full((batch["size"].shape[0], 1), 0 if automaton.kind == "tsp" else PAD, device=batch["size"].device)


def _keys(size_B: Tensor, seeds_B: Tensor | None, augment: int, starts: int, rollouts: int) -> Tensor:
    seed_B = torch.zeros_like(size_B) if seeds_B is None else seeds_B.to(size_B)
    if seed_B.shape != size_B.shape:
        raise ValueError(f"seeds_B: {tuple(seed_B.shape)} seeds for {len(size_B)} instances")
    key = seed_B.view(-1, 1, 1, 1)
    for axis, count in enumerate((augment, starts, rollouts)):
        shape = [1, 1, 1, 1]
        shape[axis + 1] = count
        key = keyed(key, torch.arange(count, device=size_B.device).view(shape))
    return key


def _alike(network: Accord, kind: str, routes: Tensor | None) -> tuple[int, Tensor | None]:
    """(the adapter to merge, -1 for none; the routes that remain to be given): one route for all is merged, which costs nothing."""
    if routes is None:
        return network.adapter(kind), None
    if routes.is_floating_point() or bool((routes != routes[:1]).any()):
        return -1, routes
    route = int(routes[0]) if len(routes) else -1
    return (int(network.adapters[route]) if route >= 0 else -1), None


class _Rows(NamedTuple):
    """The instances that are still being decoded."""

    place_B: Tensor  # where each of them stands in the whole batch
    first_BS: Tensor
    key_BS: Tensor | None  # of the noise
    taken_BS: Tensor  # steps so far
    logp_BS: Tensor
    batch: dict[str, Tensor]
    state: dict[str, Tensor]
    prefix: Prefix
    cache: Cache
    routes: Tensor | None

    @classmethod
    def start(
        cls,
        network: Accord,
        automaton: Automaton,
        batch: dict[str, Tensor],
        first_BS: Tensor,
        key_BS: Tensor | None,
        routes: Tensor | None,
    ) -> "_Rows":
        prefix = network.encode(automaton.kind, batch, routes)
        cache = network.begin(prefix, first_BS.shape[1], automaton.longest(batch))
        place_B = torch.arange(len(first_BS), device=first_BS.device)
        logp_BS = torch.zeros_like(first_BS, dtype=torch.float32)
        state = automaton.reset(batch, first_BS.shape[1])
        return cls(place_B, first_BS, key_BS, torch.zeros_like(first_BS), logp_BS, batch, state, prefix, cache, routes)

    def only(self, index_X: Tensor) -> "_Rows":
        return _Rows(
            self.place_B[index_X],
            self.first_BS[index_X],
            None if self.key_BS is None else self.key_BS[index_X],
            self.taken_BS[index_X],
            self.logp_BS[index_X],
            {name: tensor.index_select(0, index_X) for name, tensor in self.batch.items()},
            {name: tensor.index_select(0, index_X) for name, tensor in self.state.items()},
            select(self.prefix, index_X),
            select_cache(self.cache, index_X),
            None if self.routes is None else self.routes.index_select(0, index_X),
        )


def _run(network: Accord, automaton: Automaton, rows: _Rows, temperature: float, stop: Callable[[], bool] | None) -> Rollouts:
    whole = rows.first_BS
    objective_BS = torch.zeros_like(whole)
    stuck_BS, finished_BS = (torch.zeros_like(whole, dtype=torch.bool) for _ in range(2))
    logp_BS = torch.zeros_like(rows.logp_BS)
    columns: list[Tensor] = []

    def settle(some: _Rows) -> None:
        objective_BS[some.place_B] = automaton.objective(some.batch, some.state)
        logp_BS[some.place_B] = some.logp_BS
        stuck_BS[some.place_B] = some.state["stuck"]
        broken_BS = some.state.get("broken", torch.zeros_like(some.state["stuck"]))
        finished_BS[some.place_B] = automaton.done(some.batch, some.state) & ~some.state["stuck"] & ~broken_BS

    while True:
        mask_BSA = automaton.mask(rows.batch, rows.state)
        mask_BSA = _begun(mask_BSA, rows.first_BS, rows.taken_BS)
        count_BS = mask_BSA.sum(2)
        over_B = (count_BS == 0).all(1)
        over = int(over_B.sum())
        if over == len(over_B) or (stop is not None and stop()):
            break
        if 2 * over > len(over_B):
            settle(rows.only(over_B.nonzero().squeeze(1)))
            kept_X = (~over_B).nonzero().squeeze(1)
            rows, mask_BSA, count_BS = rows.only(kept_X), mask_BSA[kept_X], count_BS[kept_X]
        if network.markov and bool((count_BS == 1).any()):
            action_BS = mask_BSA.long().argmax(2).masked_fill(count_BS != 1, PAD)
        else:
            args = (
                automaton.current(rows.batch, rows.state),
                automaton.features(rows.batch, rows.state),
                automaton.options(rows.batch, rows.state),
                automaton.entity(rows.batch, rows.state),
            )
            logits_BSA, _, cache = network.step(automaton.kind, rows.prefix, rows.cache, *args, rows.routes)
            noise = None if rows.key_BS is None else gumbel(rows.key_BS, rows.taken_BS, mask_BSA.shape[2])
            action_BS, chance_BS = choose(log_probs(logits_BSA, mask_BSA, temperature), mask_BSA, noise)
            rows = rows._replace(cache=cache, logp_BS=rows.logp_BS + chance_BS)
        rows = rows._replace(state=automaton.step(rows.batch, rows.state, action_BS), taken_BS=rows.taken_BS + (action_BS >= 0))
        columns.append(action_BS if len(action_BS) == len(whole) else torch.full_like(whole, PAD).index_copy(0, rows.place_B, action_BS))
    settle(rows)
    actions_BST = closed_up(columns) if columns else whole.new_full((*whole.shape, 0), PAD)
    return Rollouts(actions_BST, objective_BS, logp_BS, stuck_BS, finished_BS)


def _begun(mask_BSA: Tensor, first_BS: Tensor, taken_BS: Tensor) -> Tensor:
    """The mask, with the given first action alone where a rollout has not begun (and a hard fleet allows it)."""
    if bool((taken_BS > 0).all()) or bool((first_BS < 0).all()):
        return mask_BSA
    given_BSA = torch.arange(mask_BSA.shape[2], device=mask_BSA.device) == first_BS.unsqueeze(2)
    alone_BSA = mask_BSA & given_BSA & (taken_BS == 0).unsqueeze(2)
    return torch.where(alone_BSA.any(2, keepdim=True), alone_BSA, mask_BSA)
