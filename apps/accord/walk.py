"""The decode loop of the exported program: network and automaton together, as a script. `decoding` is the same for Python, with more ways.

Shapes: B instances, S rollouts, A actions, T steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.accord.decoding.choosing import choose, closed, log_probs
from apps.accord.decoding.noise import gumbel, keyed
from apps.accord.model import Accord
from apps.accord.rules import Rules

__all__ = ["Walk", "Walked"]


class Walked(NamedTuple):
    actions_BST: Tensor  # -1 behind the last
    value_BS: Tensor
    finished_BS: Tensor
    margin_BS: Tensor  # the narrowest decision, from the best to the second


class Walk(nn.Module):
    def __init__(self, network: Accord) -> None:
        super().__init__()
        self.network = network
        self.rules = Rules()

    def forward(self, kind: str, batch: dict[str, Tensor], samples: int, seed: int) -> Walked:
        """samples 0: one greedy rollout. A round trip begins at node 0. Noise as `decode` makes it of seeds that are all `seed`."""
        S = max(samples, 1)
        size_B = batch["size"]
        route_B = self.network.routes(kind, size_B.shape[0])
        prefix = self.network.encode(kind, batch, route_B)
        cache = self.network.begin(prefix, S, self.rules.longest(kind, batch))
        state = self.rules.reset(kind, batch, S)
        zero_BS = torch.zeros([size_B.shape[0], S], dtype=torch.int64, device=size_B.device)
        key_BS = keyed(keyed(keyed(zero_BS + seed, zero_BS), zero_BS), torch.arange(S, device=size_B.device).expand_as(zero_BS))
        margin_BS = torch.full([size_B.shape[0], S], float("inf"), device=size_B.device)
        actions: list[Tensor] = []
        while True:
            mask_BSA = self.rules.mask(kind, batch, state)
            if kind == "tsp" and len(actions) == 0:
                mask_BSA = mask_BSA & (torch.arange(mask_BSA.shape[2], device=size_B.device) == 0)
            count_BS = mask_BSA.sum(2)
            if not bool((count_BS > 0).any()):
                break
            if self.network.markov and not bool((count_BS > 1).any()):
                action_BS = mask_BSA.long().argmax(2).masked_fill(count_BS == 0, -1)
            else:
                current, features, options, entity = self.rules.told(kind, batch, state)
                logits_BSA, _, cache = self.network.step(kind, prefix, cache, current, features, options, entity, route_B)
                logp_BSA = log_probs(logits_BSA, mask_BSA, 1.0)
                noise: Tensor | None = None
                score_BSA = logp_BSA
                if samples > 0:
                    noise = gumbel(key_BS, zero_BS + len(actions), mask_BSA.shape[2])
                    score_BSA = logp_BSA + noise
                action_BS, _ = choose(logp_BSA, mask_BSA, noise)
                if mask_BSA.shape[2] > 1:
                    top = closed(score_BSA, mask_BSA).topk(2, 2).values
                    margin_BS = torch.where(count_BS > 1, torch.minimum(margin_BS, top[:, :, 0] - top[:, :, 1]), margin_BS)
            state = self.rules.step(kind, batch, state, action_BS)
            actions.append(action_BS)
        actions_BST = torch.stack(actions, 2) if len(actions) > 0 else zero_BS.unsqueeze(2)[:, :, :0]
        return Walked(actions_BST, self.rules.objective(kind, batch, state), ~state["stuck"], margin_BS)
