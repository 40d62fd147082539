"""One of many: how often the right person ranks first, and what a threshold lets through (section 5.7).

Shapes: Q probes, N people enrolled.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["OpenSet", "cmc", "open_set"]


class OpenSet(NamedTuple):
    fpir: float  # share of strangers who get a name
    fnir: float  # share of the enrolled who do not get their own
    threshold: float
    strangers: int
    enrolled: int


def cmc(scores_QN: np.ndarray, own_Q: np.ndarray) -> np.ndarray:
    """(N,): the share of probes whose person is among the first 1, 2, ... N. Everybody is enrolled; a tie counts against the person.

    own: the column of each probe's person
    """
    scores_QN = _checked(scores_QN)
    own_Q = np.asarray(own_Q)
    count = scores_QN.shape[1]
    if own_Q.shape != (len(scores_QN),) or not ((own_Q >= 0) & (own_Q < count)).all():
        raise ValueError(f"own is a column of {count} for each of {len(scores_QN)} probes: in a closed set everybody is enrolled")
    own_score_Q = scores_QN[np.arange(len(own_Q)), own_Q]
    rank_Q = (scores_QN >= own_score_Q[:, None]).sum(1)  # 1: nobody else comes as near
    return np.array([(rank_Q <= k).mean() for k in range(1, count + 1)])


def open_set(scores_QN: np.ndarray, own_Q: np.ndarray, threshold: float) -> OpenSet:
    """own: the column of each probe's person, -1: a stranger. A name is given to the nearest, from the threshold on."""
    scores_QN = _checked(scores_QN)
    own_Q = np.asarray(own_Q)
    stranger_Q = own_Q < 0
    if not stranger_Q.any() or stranger_Q.all():
        raise ValueError(f"{int(stranger_Q.sum())} of {len(own_Q)} probes are strangers; both kinds are needed")
    best_Q = scores_QN.max(1)
    others_QN = np.where(np.arange(scores_QN.shape[1]) == own_Q[:, None], -np.inf, scores_QN)
    own_score_Q = scores_QN[np.arange(len(own_Q)), own_Q.clip(0)]
    named_Q = (own_score_Q >= threshold) & (own_score_Q > others_QN.max(1))  # a tie counts against the person
    fpir = float((best_Q[stranger_Q] >= threshold).mean())
    fnir = float(1 - named_Q[~stranger_Q].mean())
    return OpenSet(fpir, fnir, float(threshold), int(stranger_Q.sum()), int((~stranger_Q).sum()))


def _checked(scores_QN: np.ndarray) -> np.ndarray:
    scores_QN = np.asarray(scores_QN, np.float64)
    if scores_QN.ndim != 2 or 0 in scores_QN.shape or not np.isfinite(scores_QN).all():
        raise ValueError(f"scores are a finite number for each probe and person, not {scores_QN.shape}")
    return scores_QN
