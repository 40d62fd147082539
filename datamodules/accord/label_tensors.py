"""Plans as padded tensors: what a batch carries of its labels. -1 is padding.

| kind | plan |
| --- | --- |
| tsp | B,N nodes in order |
| cvrp | B,2N customers in order, 0 (the depot) between two routes |
| knapsack | B,N 1: taken |
| binpack | B,N the bin of each item, in the pack's descending order |
| pfsp | B,N jobs in order |
| jssp | B,J,O start of each operation |
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.accord.packs import Pack
from datamodules.accord.solution import Plan

__all__ = ["plan_tensor"]


def plan_tensor(kind: str, pack: Pack, plans: Sequence[Plan]) -> Tensor:
    """The plans of a pack's instances."""
    if kind in ("tsp", "pfsp"):
        return _rows(plans, _width(pack, kind))
    if kind == "cvrp":
        return _rows([_with_depots(plan) for plan in plans], max(1, 2 * (pack["demands"].shape[1] - 1)))
    if kind == "knapsack":
        return _taken(pack, plans)
    if kind == "binpack":
        return _bins(pack, plans)
    return _starts(pack, plans)


def _width(pack: Pack, kind: str) -> int:
    return pack["distances" if kind == "tsp" else "times"].shape[1]


def _rows(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    return torch.tensor([[*row, *[-1] * (width - len(row))] for row in rows], dtype=torch.int64)


def _with_depots(routes: Plan) -> list[int]:
    flat: list[int] = []
    for route in routes:
        flat += [*([0] if flat else []), *route]
    return flat


def _taken(pack: Pack, plans: Sequence[Plan]) -> Tensor:
    width = pack["weights"].shape[1]
    taken = torch.zeros(len(plans), width, dtype=torch.int64)
    for row, plan in zip(taken, plans, strict=True):
        row[list(plan)] = 1
    return taken.masked_fill(torch.arange(width) >= pack["size"][:, None], -1)


def _bins(pack: Pack, plans: Sequence[Plan]) -> Tensor:
    ids = pack["ids"]
    of_item = torch.full_like(ids, -1)
    for row, plan in zip(of_item, plans, strict=True):
        for number, items in enumerate(plan):
            row[list(items)] = number
    return torch.where(ids >= 0, of_item.gather(1, ids.clamp(min=0)), -1)


def _starts(pack: Pack, plans: Sequence[Any]) -> Tensor:
    starts = torch.full_like(pack["time"], -1)
    for row, plan in zip(starts, plans, strict=True):
        for times, given in zip(row, plan, strict=False):
            times[: len(given)] = torch.tensor(given, dtype=torch.int64)
    return starts
