"""First fit and best fit, largest item first."""

import numpy as np

from datamodules.accord.instances import BinPacking
from datamodules.accord.references.attempt import Attempt

__all__ = ["bfd", "descending", "ffd", "fit"]


def ffd(attempt: Attempt) -> None:
    """Each item into the first bin with room."""
    attempt.offer(fit(attempt.instance, descending(attempt.instance), best=False))


def bfd(attempt: Attempt) -> None:
    """Each item into the fullest bin with room."""
    attempt.offer(fit(attempt.instance, descending(attempt.instance), best=True))


def descending(instance: BinPacking) -> list[int]:
    return np.argsort(-instance.weights, kind="stable").tolist()


def fit(instance: BinPacking, order: list[int], best: bool) -> tuple[tuple[int, ...], ...]:
    rooms = np.full(len(order), instance.capacity, np.int64)
    bins: list[list[int]] = []
    for item in order:
        weight = instance.weights[item]
        free = rooms[: len(bins) + 1]
        if best:
            at = int(np.where(free >= weight, free, np.iinfo(np.int64).max).argmin())  # a new bin has the most room: it comes last
        else:
            at = int((free >= weight).argmax())
        if at == len(bins):
            bins.append([])
        bins[at].append(item)
        rooms[at] -= weight
    return tuple(tuple(items) for items in bins)
