"""Training batches of twin pairs and of people without their twin, as functions of seed and epoch: resumable, and split by rank."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from datamodules.errors import DataError
from datamodules.order import Order, sample_rng

__all__ = ["FamilySampler"]

STREAM = 2**64 - 2  # no sample has this index, so that no sample's randomness is this


class FamilySampler(Order):
    """A batch sampler: every batch has `groups` groups of different families, `images` images of every person in it.

    A group is a twin pair, first one and then the other, or a single person: one without a twin, or whose twin is left out. Of a family
    of three or more, two are drawn. People of a single image and no twin stand together, as many as a group has images: nobody's image is
    repeated to be its own match. All families come up in turn, in an order that is shuffled anew whenever it is through; so do their
    images.

    person, family: of every training image, by index
    twin_ratio: twin pairs for one single person; 0: single persons alone, inf: twin pairs alone

    >>> list(FamilySampler([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1], groups=2, images=2, twin_ratio=1, seed=0))  # batches of (turn, index)
    """

    def __init__(
        self,
        person: Sequence[int] | np.ndarray,
        family: Sequence[int] | np.ndarray,
        groups: int,
        images: int,
        twin_ratio: float,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
    ):
        person, family = np.asarray(person, np.int64), np.asarray(family, np.int64)
        if groups < 1 or images < 2:
            raise DataError(f"{groups} groups of {images} images: a batch needs 1 group and 2 images of a person, or more")
        if not twin_ratio >= 0:
            raise DataError(f"twin_ratio {twin_ratio} must be 0 or more: twin pairs for one person without twin")
        pairs = groups if np.isinf(twin_ratio) else groups * twin_ratio / (1 + twin_ratio)
        if abs(pairs - round(pairs)) > 1e-6:
            raise DataError(
                f"{groups} groups cannot hold {twin_ratio:g} twin pairs to a single person: choose a multiple of {_least(twin_ratio)}"
            )
        self.pairs, self.singles, self.images = round(pairs), groups - round(pairs), images
        if self.pairs % world or self.singles % world:
            raise DataError(
                f"{self.pairs} twin pairs and {self.singles} single persons a batch cannot be split over {world} processes: "
                "choose groups that are a multiple of both"
            )
        order = np.argsort(person, kind="stable")
        starts = np.unique(person[order], return_index=True)[1]
        self.members = np.split(order, starts[1:]) if len(order) else []  # indices of every person's images
        homes = family[order][starts]
        self.families = [np.flatnonzero(homes == home) for home in np.unique(homes)]
        self.twins = np.array([at for at, people in enumerate(self.families) if len(people) > 1], np.int64)
        self.alone = np.array([at for at, people in enumerate(self.families) if len(people) == 1], np.int64)
        self.units, self.lone = self._units()
        if self.pairs and not len(self.twins):
            raise DataError("no family with two people in training: add twins, or train with twin_ratio=0")
        if len(self.twins) < self.pairs or len(self.families) < groups:
            raise DataError(
                f"{groups} groups a batch, {self.pairs} of them twin pairs, but {len(self.families)} training families, "
                f"{len(self.twins)} with twins: lower the groups of a batch"
            )
        per_batch = (2 * self.pairs + self.singles) * images
        super().__init__(max(1, len(person) // per_batch) * per_batch, per_batch, seed, rank=rank, world=world)

    def epoch_order(self, epoch: int) -> np.ndarray:
        rng = sample_rng(self.seed, epoch, STREAM)
        twins, units, lone = (_Turns(values, rng) for values in (self.twins, self.units, self.lone))
        photos = {at: _Turns(rows, rng) for at, rows in enumerate(self.members)}
        order: list[np.ndarray] = []
        for _ in range(self.batches):
            used: set[int] = set()
            paired = [twins.next(used) for _ in range(self.pairs)]
            single = [units.next(used) for _ in range(self.singles)]
            both = [rng.choice(self.families[home], 2, replace=False) for home in paired]
            of_pairs = [np.concatenate([photos[int(one)].some(self.images) for one in two]) for two in both]
            of_singles = []
            for home in single:
                if home < len(self.families):
                    of_singles.append(photos[int(rng.choice(self.families[home]))].some(self.images))
                else:
                    alone = [self.families[lone.next(used)][0] for _ in range(self.images)]
                    of_singles.append(np.concatenate([photos[int(one)].some(1) for one in alone]))
            for rank in range(self.world):  # whole groups to every process
                order += of_pairs[rank :: self.world] + of_singles[rank :: self.world]
        return np.concatenate(order)

    def _units(self) -> tuple[np.ndarray, np.ndarray]:
        """(what a single group is drawn from, families of one image): families, and above their numbers those that stand for several such.

        A person without a twin is a single one whenever it comes up; where there are such people, they are taken before torn pairs.
        """
        homes = self.alone if len(self.alone) >= self.singles else np.arange(len(self.families))
        one = np.array([len(people) == 1 and len(self.members[people[0]]) == 1 for people in self.families], bool)[homes]
        lone = homes[one]
        several = len(lone) // self.images
        if len(lone) < self.singles * self.images or len(homes) - len(lone) + several < self.singles:
            return homes, homes[:0]
        return np.concatenate([homes[~one], len(self.families) + np.arange(several)]), lone


class _Turns:
    """Values in a shuffled order, which is shuffled anew when it is through."""

    def __init__(self, values: np.ndarray, rng: np.random.Generator):
        self.values, self.rng, self.left = values, rng, []

    def next(self, used: set[int]) -> int:
        """The next one that is not among `used`, and is from now on; those that were passed over come up the next time."""
        while True:  # more values than `used` holds of them: the second search finds one
            for place, value in enumerate(self.left):
                if value not in used:
                    used.add(value)
                    return self.left.pop(place)
            self.left += self.rng.permutation(self.values).tolist()

    def some(self, count: int) -> np.ndarray:
        """`count` of them, each as often as the others, give or take one."""
        if len(self.values) < count:
            rounds = -(-count // len(self.values))
            return np.concatenate([self.rng.permutation(self.values) for _ in range(rounds)])[:count]
        used: set[int] = set()
        return np.array([self.next(used) for _ in range(count)])


def _least(ratio: float) -> int:
    """The fewest groups that hold whole numbers of both."""
    whole = Fraction(ratio).limit_denominator(100)
    return (whole / (1 + whole)).denominator
