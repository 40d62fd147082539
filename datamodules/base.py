"""The base of every datamodule: loaders that can be taken up anywhere, split by rank, and give the same with any number of workers."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning
import torch
from torch.utils.data import Dataset

from datamodules.errors import DataError
from datamodules.order import EvalOrder, Loader, Order
from datamodules.workers import start_worker, worker_context

__all__ = ["MADE", "NOT_STATED", "BaseData", "DataError"]

MADE = "generated; free of rights of others"  # the licence of every embedded set
NOT_STATED = "not stated by the source"


class BaseData(pytorch_lightning.LightningDataModule):
    """Subclasses set `train_set`, `val_set`, `test_set` in `setup(stage)`: map-style datasets that can be sent to spawned processes.

    `setup` is called once a stage (fit, validate, test; None: all) and again by the trainer: each call adds what its stage still lacks.

    The training set is asked for pairs (turn, index) and takes its randomness from `sample_rng(self.seed, turn, index)`; the others are
    asked for an index. They live in a module that imports no Lightning, which workers would have to import, too. Batches are split over
    processes here, so the trainer runs with `use_distributed_sampler=False`.

    Args:
        batch_size: Of the global batch, over all processes; must be a multiple of their number.
        workers: Processes that load; 0 loads in the training process. Changes no result.
        seed: Of the order and of augmentation.
    """

    classes: list[str]
    licence: str = NOT_STATED  # of the data; the weights that learn from it and every exported file carry it
    train_set: Dataset[Any] | None = None
    val_set: Dataset[Any] | None = None
    test_set: Dataset[Any] | None = None
    collate: Callable | None = None  # a function at the top of a module; None stacks
    say: Callable[[str], None]  # tells people what they should know of the data; a command sets its own
    outer_folds: int = 0  # how many folds the data is cut into, known after `setup`; 0: it is not cut, or says its splits itself
    outer_repeats: int | None = None  # how many ways to cut it the data brings; None: as many as one likes
    chosen_on: str = "validation"  # what epochs are chosen on; "test" where a protocol of others is followed
    mean_curve: bool = False  # one epoch for all folds, the best of the mean of their curves: a protocol of others
    preload: tuple[str, ...] = ()  # modules that workers need besides torch: imported once for all of them

    def __init__(self, batch_size: int = 32, workers: int = 0, seed: int = 0):
        super().__init__()
        if workers < 0:
            raise DataError(f"workers must not be negative, got {workers}")
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.say = _say

    def train_weights(self) -> np.ndarray | None:
        """How often each training sample is drawn, relatively; None: every one once an epoch."""
        return None

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        """For the data card: name, source, counts per split and class, and a fingerprint of names, sizes and times, or contents."""
        raise NotImplementedError(f"{type(self).__name__} has no describe()")

    def card(self, hash_content: bool = False) -> dict[str, Any]:
        """The data card, as a run keeps it."""
        return {**self.describe(hash_content), "licence": self.licence}

    def examples(self, n: int) -> list[Any]:
        """n raw test items, as an exported program's `prepare` takes them, for the parity check; none: it is made on random items alone."""
        return []

    def train_dataloader(self) -> Loader:
        """An incomplete last batch is left out (it would weigh its samples more, unequally over processes), unless it is the only one."""
        size = self._size(self.train_set, "train")
        rank, world = self._place()
        order = Order(
            size, self.batch_size, self.seed, weights=self.train_weights(), drop_last=size >= self.batch_size, rank=rank, world=world
        )
        return self._loader(self.train_set, order)

    def val_dataloader(self) -> Loader:
        return self._evaluation(self.val_set, "val")

    def test_dataloader(self) -> Loader:
        return self._evaluation(self.test_set, "test")

    def _evaluation(self, dataset: Any, split: str) -> Loader:
        rank, world = self._place()
        return self._loader(dataset, EvalOrder(self._size(dataset, split), self.batch_size, rank=rank, world=world))

    def _loader(self, dataset: Any, order: Order | EvalOrder) -> Loader:
        return Loader(
            dataset,
            order,
            workers=self.workers,
            collate=self.collate,
            persistent_workers=self.workers > 0,
            multiprocessing_context=worker_context(self.preload) if self.workers else None,
            worker_init_fn=start_worker if self.workers else None,
            pin_memory=torch.cuda.is_available(),
        )

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)

    def _size(self, dataset: Any, split: str) -> int:
        if dataset is None or len(dataset) == 0:
            raise DataError(f"{type(self).__name__}: no {split} split; see 'discern data check'")
        return len(dataset)


def _say(words: str) -> None:
    print(f"discern: {words}", file=sys.stderr, flush=True)
