"""Local search on the items taken: one in, or one out and another in, whatever gains most; then kicks that throw some items out."""

import numpy as np

from datamodules.accord.instances import Knapsack
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.density import density

__all__ = ["local", "search"]

KICKS = 10  # per item, where no clock stops the search
OUT = 4  # items thrown out by a kick, at most


def local(attempt: Attempt) -> None:
    if attempt.plan is None:
        density(attempt)
    search(attempt, None if attempt.deadline is not None else KICKS * attempt.instance.size)


def search(attempt: Attempt, kicks: int | None) -> None:
    """From the attempt's plan; 0 kicks is the descent only."""
    instance, random = attempt.instance, attempt.rng
    attempt.relax()
    if attempt.plan is None or attempt.ended():
        return
    taken = np.zeros(instance.size, bool)
    taken[list(attempt.plan)] = True
    taken = _descend(instance, taken)
    _offer(attempt, taken)
    done = 0
    while (kicks is None or done < kicks) and not attempt.ended():
        done += 1
        there = np.flatnonzero(taken)
        if not len(there):
            return
        kicked = taken.copy()
        kicked[random.choice(there, min(len(there), int(random.integers(1, OUT + 1))), replace=False)] = False
        absent = np.flatnonzero(~taken & (instance.weights <= instance.capacity - int(instance.weights[kicked].sum())))
        if len(absent):
            kicked[random.choice(absent)] = True
        kicked = _descend(instance, kicked)
        if int(instance.values[kicked].sum()) >= int(instance.values[taken].sum()):
            taken = kicked
            _offer(attempt, taken)


def _offer(attempt: Attempt, taken: np.ndarray) -> None:
    attempt.offer(tuple(np.flatnonzero(taken).tolist()))


def _descend(instance: Knapsack, taken: np.ndarray) -> np.ndarray:
    values, weights = instance.values, instance.weights
    room = instance.capacity - int(weights[taken].sum())
    while True:
        # a row of nothing before the items taken: "one in" is a swap with nothing
        inside, outside = np.flatnonzero(taken), np.flatnonzero(~taken & (values > 0))
        if not len(outside):
            return taken
        freed, given = np.concatenate([[0], weights[inside]]), np.concatenate([[0], values[inside]])
        gain = np.where(weights[outside][None, :] <= room + freed[:, None], values[outside][None, :] - given[:, None], 0)
        best = int(gain.argmax())
        if gain.flat[best] <= 0:
            return taken
        out, into = divmod(best, len(outside))
        taken = taken.copy()
        taken[outside[into]] = True
        if out:
            taken[inside[out - 1]] = False
        room += int(freed[out]) - int(weights[outside[into]])
