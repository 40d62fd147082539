"""How far off a size may be, from polyps that were not trained on: split conformal, with polyps as what is exchangeable (section 4).

A residual is ln mm - ln mmhat. Frames of one polyp are nearly one frame: together they weigh as much as one polyp (hierarchical conformal
prediction), so that a frame's interval is of a frame of a new polyp.

Shapes: N frames, or polyps.
"""

import math
from typing import NamedTuple

import numpy as np

from apps.base.errors import UserError
from apps.hag.metrics import Answers

__all__ = ["Offset", "Residuals", "fewest", "half_width", "offset_for", "probability", "residuals_of", "summary"]

KEPT = 199  # quantiles of a distribution of residuals that are written down
BORDER = 10.0  # mm; clinical, and fixed in the label


class Residuals(NamedTuple):
    """Sorted. weight: of the polyps together 1, each the same."""

    value_N: np.ndarray
    weight_N: np.ndarray
    polyps: int
    censored: int  # polyps left out: how far off is not known
    missing: int  # answers left out: there is none

    @property
    def magnitude(self) -> np.ndarray:
        return np.abs(self.value_N)


class Offset(NamedTuple):
    """`large` is decided from 10 - delta mm on, or from the probability tau on, one of which is None."""

    asked: float
    delta: float | None
    tau: float | None
    sensitivity: float  # on the polyps that it was chosen on
    specificity: float | None
    large: int
    others: int


def residuals_of(answers: Answers) -> Residuals:
    """Of frames or of polyps whose size is known exactly and that have an answer."""
    if answers.mm is None:
        raise UserError("this model answers no mm, so that there are no intervals in mm; train with a head that regresses")
    known = answers.known()
    assert known.mm is not None
    exact = ~known.censored
    answered = np.isfinite(known.mm) & (known.mm > 0)
    rows = exact & answered
    names, group, count = np.unique(known.polyp[rows], return_inverse=True, return_counts=True)
    value = np.log(known.true[rows]) - np.log(known.mm[rows])
    order = np.argsort(value, kind="stable")
    weight = (1.0 / (count * max(1, len(names))))[group]
    censored = len(np.unique(known.polyp[~exact]))
    return Residuals(value[order], weight[order], len(names), censored, int((exact & ~answered).sum()))


def fewest(level: float) -> int:
    """Polyps that an interval of this level needs: 19 for 95 %."""
    return math.ceil(level / (1 - level) - 1e-9)


def half_width(residuals: Residuals, level: float) -> float:
    """q: the size is in mmhat * exp(-q) to mmhat * exp(q) with at least this probability, for a new polyp like these."""
    if not 0 < level < 1:
        raise ValueError(f"a level is between 0 and 1, not {level}")
    if residuals.polyps < (needed := fewest(level)):
        raise UserError(
            f"an interval of {100 * level:g} % needs {needed} polyps or more of exactly known size; there are {residuals.polyps}; "
            f"give more, or ask for --level {_below(residuals.polyps):g}"
        )
    polyps = residuals.polyps
    order = np.argsort(residuals.magnitude, kind="stable")
    reached = residuals.weight_N[order].cumsum() * polyps / (polyps + 1)  # the new polyp takes one share of polyps + 1
    return float(residuals.magnitude[order][int(np.argmax(reached >= level - 1e-9))])


def _below(polyps: int) -> float:
    """The highest level in whole percents that so many polyps support."""
    return math.floor(100 * polyps / (polyps + 1) + 1e-9) / 100


def summary(residuals: Residuals) -> list[float]:
    """The distribution as at most 199 numbers, each of the same weight."""
    if len(residuals.value_N) <= KEPT and len(np.unique(residuals.weight_N)) <= 1:
        return residuals.value_N.tolist()
    share = (np.arange(KEPT) + 0.5) / KEPT
    reached = residuals.weight_N.cumsum()
    return residuals.value_N[np.searchsorted(reached, share * reached[-1]).clip(max=len(reached) - 1)].tolist()


def probability(mm_N: np.ndarray, summary_K: np.ndarray, border: float) -> np.ndarray:
    """That the size is at the border or above: the share of known residuals that would put it there. Never 0 or 1: nobody has seen all.

    What is asked of 5 mm is more than 5: give np.nextafter(5, 6).
    """
    summary_K = np.sort(np.asarray(summary_K, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed_N = np.log(border) - np.log(np.asarray(mm_N, np.float64))
    above_N = len(summary_K) - np.searchsorted(summary_K, needed_N - 1e-12)
    return np.where(np.isfinite(needed_N), (above_N + 0.5) / (len(summary_K) + 1), np.nan)


def offset_for(polyps: Answers, sensitivity: float) -> Offset:
    """The least offset at which so many large polyps are found, those that it is chosen on and a new one (a rank, as for intervals).

    The label's 10 mm stay: of large ones found more easily than that, delta is 0.
    """
    if not 0 < sensitivity < 1:
        raise ValueError(f"a sensitivity is between 0 and 1, not {sensitivity}")
    known = polyps.known()
    by_mm = known.mm is not None
    score = known.mm if known.mm is not None else known.p_ge10
    assert score is not None
    sure = ~known.censored | (known.true >= BORDER)
    large = known.true >= BORDER
    found = np.sort(np.nan_to_num(score[sure & large], nan=-np.inf))
    rank = math.floor((len(found) + 1) * (1 - sensitivity) + 1e-9)
    if rank < 1:
        raise UserError(
            f"a sensitivity of {100 * sensitivity:g} % needs {fewest(sensitivity)} polyps or more of 10 mm and above; "
            f"there are {len(found)}; give more, or ask for less"
        )
    if not np.isfinite(found[rank - 1]):
        raise UserError(f"{int((~np.isfinite(found)).sum())} of {len(found)} large polyps have no answer; that sensitivity is out of reach")
    start = BORDER if by_mm else 0.5
    threshold = min(start, float(found[rank - 1]))
    others = score[sure & ~large]
    below = float((~(others >= threshold)).mean()) if len(others) else None
    delta, tau = (start - threshold, None) if by_mm else (None, threshold)
    return Offset(sensitivity, delta, tau, float((found >= threshold).mean()), below, len(found), len(others))
