"""Training sources mixed by weight: every slot of a batch is given to a source, by seed and epoch alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.errors import DataError
from datamodules.order import Order, sample_rng

__all__ = ["MixedOrder", "Source", "length_weights"]

STREAM = 2**64 - 3  # no sample has this index, so that no sample's randomness is this


@dataclass(frozen=True)
class Source:
    """Neighbouring indices of the training set.

    first, count: its indices
    share: of the slots, relative to the other sources
    weights: how often each is drawn, relatively, with replacement; None: all before any comes again
    endless: pictures made by number, so every slot of an epoch gets one of its own, the first `count` of which there must be enough
    """

    first: int
    count: int
    share: float = 1.0
    weights: np.ndarray | None = None
    endless: bool = False


class MixedOrder(Order):
    """A batch sampler of `slots` samples an epoch, each from a source drawn by its share. It can be taken up at any batch."""

    def __init__(
        self,
        sources: Sequence[Source],
        slots: int,
        batch_size: int,
        seed: int,
        *,
        drop_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ):
        shares = np.array([source.share for source in sources], np.float64)
        if not len(shares) or not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
            raise DataError(f"shares {[source.share for source in sources]}: give finite numbers of at least 0, not all 0")
        self.sources, self.shares = list(sources), shares / shares.sum()
        super().__init__(slots, batch_size, seed, drop_last=drop_last, rank=rank, world=world)

    def epoch_order(self, epoch: int) -> np.ndarray:
        rng = sample_rng(self.seed, epoch, STREAM)
        whose = rng.choice(len(self.sources), size=self.size, p=self.shares) if len(self.sources) > 1 else np.zeros(self.size, np.int64)
        order = np.empty(self.size, np.int64)
        for number, source in enumerate(self.sources):
            slots = np.flatnonzero(whose == number)
            order[slots] = source.first + _draws(source, len(slots), rng)
        return order


def length_weights(lengths: Sequence[int]) -> np.ndarray:
    """Of every word, such that a length is drawn in proportion to count^-0.5 for each of its words: rare lengths come more often."""
    lengths_N = np.asarray(lengths)
    return np.bincount(lengths_N)[lengths_N] ** -0.5


def _draws(source: Source, count: int, rng: np.random.Generator) -> np.ndarray:
    if source.endless:
        return np.arange(count)
    if source.weights is not None:
        return rng.choice(source.count, size=count, p=source.weights / source.weights.sum())
    rounds = [rng.permutation(source.count) for _ in range(-(-count // source.count))]
    return np.concatenate([*rounds, np.empty(0, np.int64)])[:count]
