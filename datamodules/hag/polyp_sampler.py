"""Training epochs of N frames of each polyp, as functions of seed and epoch: resumable, and split by rank."""

from collections.abc import Sequence

import numpy as np

from datamodules.errors import DataError
from datamodules.order import Order, sample_rng

__all__ = ["PolypSampler"]

STREAM = 2**64 - 2  # no sample has this index, so that no sample's randomness is this


class PolypSampler(Order):
    """A batch sampler: every epoch has `frames` frames of every polyp, shuffled, so that polyps weigh equally however long they were seen.

    A polyp with fewer frames repeats them, each as often as the others, give or take one; one with a single frame is kept. A repeated
    frame has a turn of its own, so it is augmented anew. Over epochs all frames of a long polyp come up equally often, in random order.

    polyps: of every training frame, by index

    >>> list(PolypSampler([0, 0, 1], frames=2, batch_size=4, seed=0))  # one batch of (turn, index)
    """

    def __init__(
        self,
        polyps: Sequence[int] | np.ndarray,
        frames: int,
        batch_size: int,
        seed: int,
        *,
        drop_last: bool = True,
        rank: int = 0,
        world: int = 1,
    ):
        if frames < 1:
            raise DataError(f"frames_per_polyp must be at least 1, got {frames}")
        polyps = np.asarray(polyps, dtype=np.int64)
        order = np.argsort(polyps, kind="stable")
        starts = np.unique(polyps[order], return_index=True)[1]
        self.members = np.split(order, starts[1:]) if len(order) else []  # indices of every polyp's frames
        self.frames = frames
        size = frames * len(self.members)
        super().__init__(size, batch_size, seed, drop_last=drop_last and size >= batch_size, rank=rank, world=world)

    def epoch_order(self, epoch: int) -> np.ndarray:
        drawn = [self._some(number, members, epoch) for number, members in enumerate(self.members)]
        return sample_rng(self.seed, epoch, STREAM).permutation(np.concatenate(drawn))

    def _some(self, number: int, members: np.ndarray, epoch: int) -> np.ndarray:
        """The epoch's stretch of an endless row of shuffles of the polyp's frames: nothing is remembered from epoch to epoch."""
        first, last = epoch * self.frames, (epoch + 1) * self.frames
        rounds = range(first // len(members), -(-last // len(members)))
        row = np.concatenate([sample_rng(self.seed, turn, STREAM - 1 - number).permutation(members) for turn in rounds])
        skipped = first - rounds.start * len(members)
        return row[skipped : skipped + self.frames]
