"""Pairs of images to verify: the same person on two visits, twins, other kin, and strangers."""

from typing import NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.order import sample_rng

__all__ = ["GENUINE", "KIN", "OTHER", "TWIN", "Pairs", "draw_pairs", "hard_twins"]

GENUINE, TWIN, KIN, OTHER = "genuine", "twin", "kin", "general"
HARD = 0.25  # ours: the quartile of twin pairs that look most alike to a plain network
STREAM = 2**64 - 3  # no sample has this index


class Pairs(NamedTuple):
    first: np.ndarray  # int64 (n,) rows of the images
    second: np.ndarray  # int64 (n,)
    same: np.ndarray  # bool (n,)
    kind: np.ndarray  # str (n,): genuine, twin, kin or general
    fold: np.ndarray  # int64 (n,); -1: no folds are given

    def of(self, *kinds: str) -> "Pairs":
        keep = np.isin(self.kind, kinds)
        return Pairs(*(column[keep] for column in self))


def draw_pairs(
    person: np.ndarray,
    family: np.ndarray,
    visit: np.ndarray,
    seed: int = 0,
    general: int | None = None,
    same_visit: bool = False,
    twins: np.ndarray | None = None,
) -> Pairs:
    """All genuine ones, all of twins and of other kin, and as many general ones as there are genuine ones, or `general`, drawn from the
    seed.

    twins: a number that twins share and nobody else; by default a family's people are all twins

    Genuine pairs are of two visits, so that clothes and light are not what tells; so are twin pairs, because what is asked of both must be
    the same. An image whose visit is not known (-1) is paired with every other. `same_visit` takes pairs of one visit, too.
    """
    person, family, visit = (np.asarray(x, np.int64) for x in (person, family, visit))
    if not len(person) == len(family) == len(visit):
        raise DataError(f"{len(person)} persons, {len(family)} families and {len(visit)} visits: give one of each for every image")
    ones, others = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    order = np.argsort(family, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(family[order])) + 1) if len(order) else []
    for rows in groups:
        i, j = np.triu_indices(len(rows), 1)
        ones.append(rows[i])
        others.append(rows[j])
    a, b = np.concatenate(ones), np.concatenate(others)
    if not same_visit:
        apart = (visit[a] != visit[b]) | (visit[a] < 0)
        a, b = a[apart], b[apart]
    same = person[a] == person[b]
    wanted = int(same.sum()) if general is None else general
    x, y = _strangers(family, wanted, seed)
    twins = family if twins is None else np.asarray(twins, np.int64)
    related = np.where(twins[a] == twins[b], TWIN, KIN)
    kind = np.concatenate([np.where(same, GENUINE, related), np.full(len(x), OTHER)])
    order = np.argsort([(GENUINE, TWIN, KIN, OTHER).index(name) for name in kind], kind="stable")
    first, second = (np.concatenate(both)[order] for both in ((a, x), (b, y)))
    return Pairs(first, second, np.concatenate([same, np.zeros(len(x), bool)])[order], kind[order], np.full(len(kind), -1, np.int64))


def hard_twins(pairs: Pairs, scores: np.ndarray, person: np.ndarray, share: float = HARD) -> Pairs:
    """The twin pairs of those families whose mean score is in the highest `share`, and the genuine pairs of the same people.

    scores: one for every pair, of a frozen network that is not the one to be judged
    """
    if len(scores) != len(pairs.first):
        raise DataError(f"{len(scores)} scores for {len(pairs.first)} pairs; give one for each")
    person = np.asarray(person)
    of_two = np.sort(np.stack([person[pairs.first], person[pairs.second]], 1), 1)
    twin = pairs.kind == TWIN
    if not twin.any():
        raise DataError("no twin pairs to find the hard ones among; give data with twins")
    two, which = np.unique(of_two[twin], axis=0, return_inverse=True)
    mean = np.bincount(which.ravel(), np.asarray(scores, np.float64)[twin]) / np.bincount(which.ravel())
    hard = two[np.argsort(-mean, kind="stable")[: max(1, round(share * len(two)))]]
    hit = (of_two[:, None] == hard[None]).all(2).any(1)
    keep = (twin & hit) | ((pairs.kind == GENUINE) & np.isin(of_two[:, 0], hard))
    return Pairs(*(column[keep] for column in pairs))


def _strangers(family: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs across families, none twice."""
    n = len(family)
    sizes = np.unique(family, return_counts=True)[1]
    possible = (n * n - int((sizes**2).sum())) // 2
    count = min(count, possible)
    if count > possible // 3:  # rejection would be slow: all of them, shuffled
        i, j = np.triu_indices(n, 1)
        rows = np.flatnonzero(family[i] != family[j])
        taken = sample_rng(seed, 0, STREAM).permutation(rows)[:count]
        return i[taken], j[taken]
    rng, found = sample_rng(seed, 0, STREAM), np.zeros(0, np.int64)
    while len(found) < count:
        i, j = rng.integers(n, size=(2, 2 * count + 16))
        low, high = np.minimum(i, j), np.maximum(i, j)
        codes = (low * n + high)[family[i] != family[j]]
        both = np.concatenate([found, codes])
        found = both[np.sort(np.unique(both, return_index=True)[1])]
    return found[:count] // n, found[:count] % n
