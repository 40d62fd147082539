"""What a trained network answers to problems that it never saw, by each way of decoding.

B instances, S rollouts.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from apps.accord.automata import automaton
from apps.accord.decoding import Rollouts, decode
from apps.accord.metrics import gaps_of
from apps.accord.model import Accord
from apps.accord.testing import STARTED
from datamodules.accord.dataset import Labelled, collate
from datamodules.accord.instances import MAXIMISED

__all__ = ["FEW", "MANY", "gaps_by_decoding"]

FEW, MANY = 16, 128  # samples
TOGETHER = 20  # instances: 128 rollouts of each stay in the memory of a small machine
TURNED = ("tsp", "cvrp")  # kinds that the square's symmetries turn


def gaps_by_decoding(network: Accord, kind: str, rows: Sequence[Labelled]) -> dict[str, float]:
    """Mean gaps to the labels in per cent: greedy, all starts, all starts of eight symmetries, the best of samples."""
    found: dict[str, list[Tensor]] = {}
    best: list[Tensor] = []
    rules = automaton(kind)
    for first in range(0, len(rows), TOGETHER):
        batch = collate(rows[first : first + TOGETHER])
        best.append(batch["best"])
        drawn = decode(network, rules, batch, rollouts=MANY, greedy=False, seeds_B=batch["number"])
        answers = {
            "greedy": _best(kind, decode(network, rules, batch)),
            f"samples_{FEW}": _best(kind, drawn, FEW),
            f"samples_{MANY}": _best(kind, drawn),
        }
        if kind in STARTED:
            answers["starts"] = _best(kind, decode(network, rules, batch, starts=True))
        if kind in TURNED:
            answers["starts_x8"] = _best(kind, decode(network, rules, batch, starts=True, augment=8))
        for name, objective_B in answers.items():
            found.setdefault(name, []).append(objective_B)
    labels = torch.cat(best).numpy()
    return {name: float(np.mean(gaps_of(kind, torch.cat(parts).numpy(), labels))) for name, parts in found.items()}


def _best(kind: str, rollouts: Rollouts, count: int | None = None) -> Tensor:
    """(B,) the objective of the best of the first `count` rollouts."""
    objective_BS = rollouts.objective_BS[:, :count]
    assert bool(rollouts.finished_BS.all())
    return objective_BS.amax(1) if kind in MAXIMISED else objective_BS.amin(1)
