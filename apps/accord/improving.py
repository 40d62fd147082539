"""Learning from the best of the network's own answers (ACCORD brief 3.4; self-labelling, arXiv 2401.11849): no solver is needed.

B instances, S samples, T steps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from apps.accord.automata import PAD, Automaton
from apps.accord.decoding import decode
from apps.accord.model import Accord
from datamodules.accord.instances import MAXIMISED

__all__ = ["improved"]


@torch.no_grad()
def improved(
    network: Accord,
    automaton: Automaton,
    batch: dict[str, Tensor],
    actions_BT: Tensor,
    objective_B: Tensor,
    samples: int,
    seeds_B: Tensor,
    route_B: Tensor | None,
) -> Tensor:
    """(B,T) the best of the samples where it is no worse than the given actions, else these."""
    found = decode(network, automaton, batch, rollouts=samples, greedy=False, seeds_B=seeds_B, routes=route_B)
    worth_BS = found.objective_BS if automaton.kind in MAXIMISED else -found.objective_BS
    own_B = objective_B if automaton.kind in MAXIMISED else -objective_B
    # A row that is stuck has no answer.
    worth_BS = worth_BS.masked_fill(found.stuck_BS | ~found.finished_BS, torch.iinfo(torch.int64).min)
    most_B = worth_BS.amax(1)
    best_B = (worth_BS == most_B[:, None]).long().argmax(1)  # the lowest rollout of equals
    best_BT = found.actions_BST[torch.arange(len(best_B), device=best_B.device), best_B]
    width = max(best_BT.shape[1], actions_BT.shape[1])
    best_BT, actions_BT = (F.pad(actions, [0, width - actions.shape[1]], value=PAD) for actions in (best_BT, actions_BT))
    return torch.where((most_B >= own_B)[:, None], best_BT, actions_BT)
