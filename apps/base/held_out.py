"""Batches that never end, from a place that can be found again: what gates learn from while the weights see other data."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader

from datamodules.order import Loader, Order

__all__ = ["HeldOut"]


class HeldOut:
    """`taken` counts the batches given so far, and is all that a resume needs."""

    def __init__(self, loader: DataLoader[Any], taken: int = 0) -> None:
        self.loader = loader
        self.taken = taken
        self._batches: Iterator[Any] = iter(())
        epoch, done = divmod(taken, len(loader))
        if isinstance(loader, Loader) and isinstance(loader.order, Order):
            loader.order.start_at(epoch, done)
            self._batches = iter(loader)
        elif done:
            self._batches = islice(iter(loader), done, None)

    def take(self) -> Any:
        self.taken += 1
        for _ in range(2):
            batch = next(self._batches, None)
            if batch is not None:
                return batch
            self._batches = iter(self.loader)  # an Order goes on to its next epoch by itself
        raise AssertionError("an order has at least one batch")
