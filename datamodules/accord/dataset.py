"""Labelled problems as batches: kept ones, and new ones made where they are asked for. Imported by workers: no Lightning here."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.accord.active import makespan
from datamodules.accord.augmenting import arrange, augment
from datamodules.accord.buckets import SPAN, Bucket, make, place
from datamodules.accord.instances import KINDS, Instance, JobShop
from datamodules.accord.label_tensors import plan_tensor
from datamodules.accord.labels import labels
from datamodules.accord.packs import pack
from datamodules.accord.solution import Plan, Solution
from datamodules.errors import DataError
from datamodules.order import Turn, sample_rng

__all__ = ["EvaluationProblems", "FreshProblems", "KeptProblems", "Labelled", "collate", "label"]


class Labelled(NamedTuple):
    """A problem with a good plan of it."""

    instance: Instance
    plan: Plan
    objective: int
    proven: bool
    number: int  # in its split; of a new problem -1


def label(instances: Sequence[Instance], method: str, cache: str | None = None, workers: int = 0) -> list[Labelled]:
    """Each with its plan, numbered as they come."""
    solutions = labels(list(instances), method, cache=cache, workers=workers)
    return [_labelled(instance, solution, number) for number, (instance, solution) in enumerate(zip(instances, solutions, strict=True))]


def _labelled(instance: Instance, solution: Solution, number: int) -> Labelled:
    if solution.plan is None or solution.objective is None:
        raise DataError(f"{instance.name or instance.kind}: no label ({solution.status}); give data.method another method")
    plan, objective = arrange(instance, solution.plan), solution.objective
    if isinstance(instance, JobShop):  # with its gaps filled it may be shorter than it was
        objective = makespan(instance, plan)
    return Labelled(instance, plan, objective, solution.status == "optimal", number)


def collate(rows: Sequence[Labelled]) -> dict[str, Tensor]:
    """The pack's tensors with `kind` (its place in KINDS), `plan` (label_tensors says how), `best`, `proven` and `number`."""
    kind = rows[0].instance.kind
    packed = pack([row.instance for row in rows])
    return {
        **packed,
        "kind": torch.full((len(rows),), list(KINDS).index(kind)),
        "plan": plan_tensor(kind, packed, [row.plan for row in rows]),
        "best": torch.tensor([row.objective for row in rows]),
        "proven": torch.tensor([row.proven for row in rows]),
        "number": torch.tensor([row.number for row in rows]),
    }


class KeptProblems(Dataset[Labelled]):
    """Training problems that come again in every epoch, each time seen otherwise. Asked for (turn, bucket and number)."""

    def __init__(self, kept: Sequence[Sequence[Labelled]], seed: int, augmented: bool):
        self.kept, self.seed, self.augmented = kept, seed, augmented

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self.kept)

    def __getitem__(self, turn: Turn) -> Labelled:
        bucket, number = place(turn[1])
        return _turned(self.kept[bucket][number], self.seed, turn, self.augmented)


class FreshProblems(Dataset[Labelled]):
    """New training problems in every epoch, labelled where they are made."""

    def __init__(self, buckets: Sequence[Bucket], seed: int, augmented: bool, made_seed: int, method: str, count: int):
        self.buckets, self.seed, self.augmented = list(buckets), seed, augmented
        self.made_seed, self.method, self.count = made_seed, method, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, turn: Turn) -> Labelled:
        return self.__getitems__([turn])[0]

    def __getitems__(self, turns: Sequence[Turn]) -> list[Labelled]:
        """A batch at once: some labels are found together in a fraction of the time."""
        made = [self._made(turn) for turn in turns]
        found = label(made, self.method)
        return [_turned(row._replace(number=-1), self.seed, turn, self.augmented) for row, turn in zip(found, turns, strict=True)]

    def _made(self, turn: Turn) -> Instance:
        bucket, number = place(turn[1])
        return make(self.buckets[bucket], self.made_seed, turn[0] * SPAN + number, 1)[0]


class EvaluationProblems(Dataset[Labelled]):
    """Asked for a bucket and the number in it."""

    def __init__(self, kept: Sequence[Sequence[Labelled]]):
        self.kept = kept
        self.rows = [row for bucket in kept for row in bucket]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Labelled:
        bucket, number = place(index)
        return self.kept[bucket][number]


def _turned(row: Labelled, seed: int, turn: Turn, augmented: bool) -> Labelled:
    if not augmented:
        return row
    instance, plan = augment(row.instance, row.plan, sample_rng(seed, *turn))
    return row._replace(instance=instance, plan=plan)
