"""Folds of whole families: what was learned or chosen on some is asked about others.

Shapes: N pairs.
"""

import numpy as np

__all__ = ["UNUSED", "family_folds"]

UNUSED = -1  # the fold of a pair whose two families are in different folds


def family_folds(family_N2: np.ndarray, folds: int = 10, seed: int = 0) -> np.ndarray:
    """The fold of each pair. A family is in one fold as a whole; a pair between two folds is in none (-1).

    family: of both images, (N,2).
    """
    family_N2 = np.asarray(family_N2)
    if family_N2.ndim != 2 or family_N2.shape[1] != 2:
        raise ValueError(f"family is two numbers a pair, (N,2), not {family_N2.shape}")
    names, number = np.unique(family_N2, return_inverse=True)
    if len(names) < folds:
        raise ValueError(f"{folds} folds need as many families; there are {len(names)}")
    of_family = np.empty(len(names), np.int64)
    of_family[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % folds
    first, second = of_family[number.reshape(family_N2.shape)].T
    return np.where(first == second, first, UNUSED)
