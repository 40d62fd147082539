"""Decoding for `validate` and `test`: greedy, the best of starts or samples, without masks, untrained; judged by the checker.

B instances, S rollouts, T steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from apps.accord.automata import Automaton
from apps.accord.decoding import decode
from apps.accord.model import Accord
from apps.accord.options import Measure
from datamodules.accord.checker import check
from datamodules.accord.dataset import Labelled
from datamodules.accord.instances import MAXIMISED

__all__ = ["STARTED", "Best", "best_of", "feasible", "greedily"]

STARTED = ("tsp", "cvrp", "pfsp")  # kinds with a start for each node, customer or job


class Best(NamedTuple):
    """One answer to each problem."""

    objective_B: Tensor
    actions_BT: Tensor


def greedily(network: Accord, automaton: Automaton, batch: dict[str, Tensor], route_B: Tensor | None = None) -> Best:
    found = decode(network, automaton, batch, routes=route_B)
    return Best(found.objective_BS[:, 0], found.actions_BST[:, 0])


def best_of(network: Accord, automaton: Automaton, batch: dict[str, Tensor], measure: Measure) -> Best:
    """Of a start each, or of as many samples as `measure` says. The lowest rollout of equals."""
    if automaton.kind in STARTED:
        found = decode(network, automaton, batch, starts=True)
    else:
        found = decode(
            network,
            automaton,
            batch,
            rollouts=measure.samples,
            greedy=False,
            temperature=measure.temperature,
            seeds_B=batch["number"],
        )
    worth_BS = found.objective_BS if automaton.kind in MAXIMISED else -found.objective_BS
    worth_BS = worth_BS.masked_fill(~found.finished_BS, torch.iinfo(torch.int64).min)
    best_B = (worth_BS == worth_BS.amax(1, keepdim=True)).long().argmax(1)
    rows_B = torch.arange(len(best_B), device=best_B.device)
    return Best(found.objective_BS[rows_B, best_B], found.actions_BST[rows_B, best_B])


def feasible(automaton: Automaton, rows: list[Labelled], answer: Best) -> Tensor:
    """(B,) bool: what the independent checker says. A masked answer's objective must be its own, too."""
    verdicts = []
    for row, actions, objective in zip(rows, answer.actions_BT.tolist(), answer.objective_B.tolist(), strict=True):
        report = check(row.instance, automaton.plan(row.instance, actions))
        verdicts.append(report.feasible and (not automaton.masked or report.objective == objective))
    return torch.tensor(verdicts, device=answer.objective_B.device)
