"""Which problems make which batch: one kind and one size each, kinds in turn, sizes by how far the training is.

All is a function of (seed, epoch, position), so a run can be taken up at any batch.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from datamodules.accord.buckets import SPAN, Bucket
from datamodules.errors import DataError
from datamodules.order import EvalOrder, Order, sample_rng

__all__ = ["ProblemEvalOrder", "ProblemOrder"]

PLAN = 2**64 - 2  # the stream of an epoch's plan: no sample has this index


class ProblemOrder(Order):
    """Training batches.

    buckets: of all kinds, a kind's together, its full size last
    each: batches of a kind in an epoch
    in_all: batches of the whole training; None: unknown, and every batch counts as its beginning
    curriculum: the share of the training in which sizes are uniform over the kind's; then only the full one
    fresh: numbers of problems are positions in the epoch, so that none comes twice
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        each: int,
        batch_size: int,
        seed: int,
        *,
        in_all: int | None,
        curriculum: float,
        fresh: bool,
        rank: int = 0,
        world: int = 1,
    ):
        self.buckets, self.in_all, self.curriculum, self.fresh = list(buckets), in_all, curriculum, fresh
        self.by_kind: dict[str, list[int]] = {}
        for number, bucket in enumerate(self.buckets):
            self.by_kind.setdefault(bucket.kind, []).append(number)
        super().__init__(each * len(self.by_kind) * batch_size, batch_size, seed, drop_last=True, rank=rank, world=world)

    def epoch_order(self, epoch: int) -> np.ndarray:
        rng = sample_rng(self.seed, epoch, PLAN)
        chosen = self.buckets_of_epoch(epoch, rng)
        numbers = np.arange(self.size).reshape(self.batches, self.batch_size)  # of fresh problems: their place in the epoch
        if not self.fresh:
            for bucket in np.unique(chosen):
                mine = np.flatnonzero(chosen == bucket)
                wanted = _drawn(rng, self.buckets[bucket].count, len(mine) * self.batch_size)
                numbers[mine] = wanted.reshape(len(mine), self.batch_size)
        return (chosen[:, None] * SPAN + numbers).ravel()

    def buckets_of_epoch(self, epoch: int, rng: np.random.Generator) -> np.ndarray:
        """(batches,)"""
        of_kinds = list(self.by_kind.values())
        dice = rng.random(self.batches)  # as many whatever the curriculum says
        chosen = np.empty(self.batches, np.int64)
        for batch in range(self.batches):
            mine = of_kinds[batch % len(of_kinds)]
            done = 0.0 if self.in_all is None else (epoch * self.batches + batch) / self.in_all
            chosen[batch] = mine[int(dice[batch] * len(mine))] if done < self.curriculum else mine[-1]
        return chosen


class ProblemEvalOrder(EvalOrder):
    """Evaluation: every problem once, bucket by bucket; each rank has its share of each bucket, in as many batches as the others."""

    def __init__(self, buckets: Sequence[Bucket], batch_size: int, *, rank: int = 0, world: int = 1):
        for bucket in buckets:
            if bucket.count < world:
                raise DataError(f"{bucket.count} problems of {bucket.kind} cannot be evaluated by {world} processes: give more of them")
        self.parts = [EvalOrder(bucket.count, batch_size, rank=rank, world=world) for bucket in buckets]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[list[int]]:
        for number, part in enumerate(self.parts):
            for batch in part:
                yield [number * SPAN + row for row in batch]


def _drawn(rng: np.random.Generator, count: int, wanted: int) -> np.ndarray:
    """`wanted` numbers below `count`: every one once before any comes again."""
    rounds = [rng.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted] if rounds else np.zeros(0, np.int64)
