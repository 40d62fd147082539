"""Training batches of P identities with K pictures each, as functions of seed and epoch: resumable, and split by rank."""

from collections.abc import Sequence

import numpy as np

from datamodules.errors import DataError
from datamodules.order import Order, sample_rng

__all__ = ["PkSampler"]

STREAM = 2**64 - 2  # no sample has this index, so that no sample's randomness is this


class PkSampler(Order):
    """A batch sampler: every batch has p different identities, one after the other, with k pictures each.

    An epoch gives every identity one group of k pictures or more, as many as it has whole groups. An identity with fewer than k pictures
    repeats them, each as often as the others, give or take one. A repeated picture has a turn of its own, so it is augmented anew.

    The tail: pictures beyond an identity's last whole group wait for another epoch, whose shuffle is another. So do groups for which no
    other identities are left: one large identity does not fill batches alone. When the last batch lacks identities, some come a second
    time, with other pictures where they have them. `waiting` counts the pictures that wait in the first epoch.

    ids: identity of every training picture, by index
    p, k: identities in a GLOBAL batch, pictures of each; each rank gets p / world whole identities

    >>> list(PkSampler([0, 0, 1, 1, 2, 2], p=3, k=2, seed=0))  # one batch of (turn, index)
    """

    def __init__(self, ids: Sequence[int] | np.ndarray, p: int, k: int, seed: int, *, rank: int = 0, world: int = 1):
        ids = np.asarray(ids, dtype=np.int64)
        if p < 2 or k < 2:
            raise DataError(f"a batch of {p} identities x {k} pictures has no pairs to compare: give 2 or more of each")
        if p % world:
            raise DataError(f"{p} identities a batch cannot be split over {world} processes: choose a multiple of {world}")
        order = np.argsort(ids, kind="stable")
        _, starts = np.unique(ids[order], return_index=True)
        self.members = np.split(order, starts[1:]) if len(ids) else []  # by identity: indices of its pictures
        if len(self.members) < p:
            raise DataError(f"{p} identities a batch, but {len(self.members)} in training: lower the identities of a batch")
        self.p, self.k = p, k
        self.groups = np.array([max(1, len(pictures) // k) for pictures in self.members])
        batches = max(-(-len(self.members) // p), _most_batches(self.groups, p))
        super().__init__(batches * p * k, p * k, seed, rank=rank, world=world)
        self.waiting = len(ids) - len(np.unique(self.epoch_order(0)))

    def epoch_order(self, epoch: int) -> np.ndarray:
        rng = sample_rng(self.seed, epoch, STREAM)
        quota = self._quota(rng)
        slots: list[list[np.ndarray]] = [[] for _ in range(self.batches)]
        place = 0
        # An identity's groups take neighbouring places, and place n goes to batch n mod the number of batches: never twice the same one.
        for identity in rng.permutation(len(self.members)):
            for group in self._draw(self.members[identity], int(quota[identity]), rng):
                slots[place % self.batches].append(group)
                place += 1
        batches = (np.concatenate([slots[at][row] for row in rng.permutation(self.p)]) for at in rng.permutation(self.batches))
        return np.concatenate(list(batches))

    def _quota(self, rng: np.random.Generator) -> np.ndarray:
        """Groups of each identity in this epoch: p for every batch together, at least one and at most one a batch of each."""
        quota = np.minimum(self.groups, self.batches)
        surplus = int(quota.sum()) - self.batches * self.p
        if surplus > 0:
            taken = rng.choice(np.repeat(np.arange(len(quota)), quota - 1), surplus, replace=False)
            quota -= np.bincount(taken, minlength=len(quota))
        elif surplus < 0:
            given = rng.choice(np.repeat(np.arange(len(quota)), self.batches - quota), -surplus, replace=False)
            quota += np.bincount(given, minlength=len(quota))
        return quota

    def _draw(self, pictures: np.ndarray, groups: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Groups of k out of shuffles of the identity's pictures: within a group none repeats, where there are k."""
        drawn: list[np.ndarray] = []
        while len(drawn) < groups:
            if len(pictures) >= self.k:
                shuffled = rng.permutation(pictures)
                drawn += [shuffled[first : first + self.k] for first in range(0, len(shuffled) - self.k + 1, self.k)]
            else:
                rounds = -(-self.k // len(pictures))
                drawn.append(np.concatenate([rng.permutation(pictures) for _ in range(rounds)])[: self.k])
        return drawn[:groups]


def _most_batches(groups: np.ndarray, p: int) -> int:
    """The most batches of p different identities: the largest b with sum(min(groups, b)) >= p * b."""
    low, high = 0, int(groups.sum()) // p
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(groups, middle).sum() >= p * middle:
            low = middle
        else:
            high = middle - 1
    return low
