"""Which sample comes when, and with what randomness: functions of (seed, epoch, index) alone.

So a run can be taken up at any batch, the number of workers changes nothing, and two processes see together what one would have seen.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from datamodules.errors import DataError

__all__ = ["EvalOrder", "Loader", "Order", "Turn", "epoch_order", "sample_rng"]

Turn = tuple[int, int]  # (turn, index): what a training dataset is asked for; sample_rng(seed, *turn) is its randomness

# A sample that is drawn again within an epoch (balanced sampling) must not look the same: its turn is epoch + AGAIN * repeats.
AGAIN = 2**32


def sample_rng(seed: int, turn: int, index: int) -> np.random.Generator:
    """The generator of one sample in one turn: counter-based, so that it costs the same whatever came before, in whatever process."""
    return _generator(seed, index, turn)


def epoch_order(size: int, seed: int, epoch: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The epoch's `size` indices: a permutation, or draws with replacement in proportion to `weights`."""
    rng = _generator(seed, 2**64 - 1, epoch)  # no sample has this index
    if weights is None:
        return rng.permutation(size)
    return rng.choice(size, size=size, p=weights)


class Order(Sampler[list[Turn]]):
    """A batch sampler for training: this rank's share of every global batch, as lists of (turn, index).

    batch_size: of the GLOBAL batch; it is cut into `world` contiguous shares, so all ranks see together what one process sees
    weights: one for every sample; makes the epoch `size` draws with replacement (class-balanced sampling)
    drop_last: leave out the incomplete last batch. When it is kept, its shares differ by at most one sample, and where it has fewer
        samples than there are ranks it is left out all the same, because every rank needs as many batches as the others

    `dropped` counts what an epoch leaves out. `finished` is the number of batches that the trainer has finished in this epoch: the
    trainer's callback sets it after each batch; what workers fetched ahead does not count.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int,
        *,
        weights: Sequence[float] | np.ndarray | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ):
        if batch_size < 1:
            raise DataError(f"batch_size must be at least 1, got {batch_size}")
        if batch_size % world:
            raise DataError(f"batch_size {batch_size} cannot be split over {world} processes: choose a multiple of {world}")
        if seed < 0:
            raise DataError(f"seed must not be negative, got {seed}")
        self.size, self.batch_size, self.seed, self.rank, self.world = size, batch_size, seed, rank, world
        self.weights = None if weights is None else _shares(weights, size)
        batches, tail = divmod(size, batch_size)
        self.batches = batches + (not drop_last and tail >= world and tail > 0)
        self.dropped = max(0, size - self.batches * batch_size)
        if self.batches == 0:
            reason = f"fewer than one batch of {batch_size}" if drop_last else f"fewer than the {world} processes"
            raise DataError(f"{size} training samples are {reason}: lower batch_size or the number of devices")
        self.epoch, self.finished = 0, 0
        self._begun = False

    def epoch_order(self, epoch: int) -> np.ndarray:
        """All of the epoch's indices in order, every rank's; subclasses sample otherwise (identities, buckets) by overriding this."""
        return epoch_order(self.size, self.seed, epoch, self.weights)

    @property
    def sampler(self) -> "Order":
        """Lightning tells the epoch to `batch_sampler.sampler` only, never to the batch sampler itself."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch: from where `start_at` put it if that is the same epoch, else from its first batch."""
        if epoch != self.epoch or self._begun:
            self.epoch, self.finished = epoch, 0
        self._begun = False

    def start_at(self, epoch: int, finished_batches: int) -> None:
        """The next iteration begins after that many finished batches of the epoch."""
        if not 0 <= finished_batches <= self.batches:
            raise DataError(
                f"position {finished_batches} lies outside an epoch of {self.batches} batches: the data or batch_size has changed"
            )
        self.epoch, self.finished = (epoch + 1, 0) if finished_batches == self.batches else (epoch, finished_batches)
        self._begun = False

    def position(self) -> dict[str, int]:
        """Where training stands; a finished epoch is batch 0 of the next one."""
        if self.finished >= self.batches:
            return {"epoch": self.epoch + 1, "finished": 0}
        return {"epoch": self.epoch, "finished": self.finished}

    def __len__(self) -> int:
        return self.batches  # of a whole epoch: Lightning counts finished batches against it, also after a resume

    def __iter__(self) -> Iterator[list[Turn]]:
        # A generator, so that nothing happens before the first batch is asked for: loaders with workers make two iterators and use one.
        if self._begun:  # nobody told the epoch: count by ourselves
            self.epoch, self.finished = self.epoch + 1, 0
        self._begun = True
        indices = self.epoch_order(self.epoch)
        turns = self.epoch + AGAIN * _repeats(indices)
        for batch in range(self.finished, self.batches):
            first = batch * self.batch_size
            count = min(self.batch_size, len(indices) - first)
            own = slice(first + count * self.rank // self.world, first + count * (self.rank + 1) // self.world)
            yield list(zip(turns[own].tolist(), indices[own].tolist(), strict=True))


class EvalOrder(Sampler[list[int]]):
    """A batch sampler for evaluation: every index once, in order, over all ranks.

    Each rank takes one contiguous share and cuts it into batches of nearly equal size. All ranks have the same number of batches, because
    DistributedDataParallel sends buffers around in evaluation, too; for that a batch may exceed its size by one sample.
    """

    def __init__(self, size: int, batch_size: int, *, rank: int = 0, world: int = 1):
        if batch_size < 1:
            raise DataError(f"batch_size must be at least 1, got {batch_size}")
        if size < world:
            raise DataError(f"{size} samples cannot be evaluated by {world} processes: evaluate with --trainer.devices=1")
        each = max(1, batch_size // world)
        self.batches = max(1, min(math.ceil(math.ceil(size / world) / each), size // world))
        self.first, self.last = size * rank // world, size * (rank + 1) // world

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        count = self.last - self.first
        for batch in range(self.batches):
            yield list(range(self.first + count * batch // self.batches, self.first + count * (batch + 1) // self.batches))


class Loader(DataLoader):
    """A DataLoader over an order. With an `Order` it has a state, its position, which is how training is taken up within an epoch.

    Three things differ from a plain one. Workers start at the first `next`, not at `iter`, because Lightning makes the iterator before it
    tells the epoch. The seed that torch draws for the workers comes from a generator of its own, so that making an iterator leaves the
    global random state alone: a resumed run makes one more than an undisturbed one. And a worker's DataError arrives as one line again.
    """

    def __init__(self, dataset: Any, order: "Order | EvalOrder", *, workers: int = 0, collate: Callable | None = None, **options: Any):
        super().__init__(
            dataset, batch_sampler=order, num_workers=workers, collate_fn=collate, generator=torch.Generator().manual_seed(0), **options
        )

    @property
    def order(self) -> "Order | EvalOrder":
        assert isinstance(self.batch_sampler, Order | EvalOrder)
        return self.batch_sampler

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            yield from super().__iter__()
        except DataError as error:
            raise DataError(str(error).rpartition("DataError: ")[2].strip()) from None

    def state_dict(self) -> dict[str, int]:
        return self.order.position() if isinstance(self.order, Order) else {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if isinstance(self.order, Order):
            self.order.start_at(state["epoch"], state["finished"])


def _generator(seed: int, stream: int, turn: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], np.uint64), counter=np.array([0, turn, 0, 0], np.uint64)))


def _shares(weights: Sequence[float] | np.ndarray, size: int) -> np.ndarray:
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (size,) or not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
        raise DataError(f"weights must be {size} finite numbers of at least 0, not all 0")
    return shares / shares.sum()


def _repeats(indices: np.ndarray) -> np.ndarray:
    """How often each entry's value stood before it."""
    by_value = np.argsort(indices, kind="stable")
    ranks = np.arange(len(indices))
    starts = np.r_[True, np.diff(indices[by_value]) != 0]
    repeats = np.empty(len(indices), dtype=np.int64)
    repeats[by_value] = ranks - np.maximum.accumulate(np.where(starts, ranks, 0))
    return repeats
