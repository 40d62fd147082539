"""Is it the person? Thresholds for stated rates of false accepts, and the rule for a person whose twin is known (section 4.4).

There is no decision without a calibration, and none of twins by a threshold that was set on strangers.

Shapes: N pairs.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from apps.ahan.metrics import TarAtFar, cluster_bootstrap, tar_at_far
from apps.base.errors import UserError

__all__ = [
    "ENROL_MIN",
    "LOSS",
    "Calibration",
    "Decision",
    "Threshold",
    "calibrate",
    "decide",
    "decide_pair",
    "margin_of",
    "supported",
    "threshold_at",
]

LOSS = 0.01  # of genuine pairs, by the margin to the twin, and by the agreement that an enrolment needs
ENROL_MIN = 0.2  # ours: mean cosine of one person's images, at least, whatever a calibration says


@dataclass(frozen=True)
class Threshold:
    """value: a score of this or more is accepted. low, high: interval of the rate of false accepts there, families drawn again."""

    value: float
    far: float
    low: float
    high: float
    tar: float
    impostors: int
    families: int


@dataclass(frozen=True)
class Calibration:
    """general: from pairs of different families. twin: from pairs of twins; None: their error is not known.

    delta: how much nearer than the twin the person must be; None: not known. enrol_min: which mean cosine the images of an enrolment need.
    """

    general: Threshold
    twin: Threshold | None = None
    delta: float | None = None
    enrol_min: float | None = None

    def __post_init__(self) -> None:
        if self.delta is not None and self.twin is None:
            raise ValueError("delta is of the twin rule: give the twin threshold, too, or leave delta out")


class Decision(NamedTuple):
    accept: bool | None  # None: no decision
    rule: Literal["none", "general", "twin", "twin, not enrolled", "twin, no gallery"]
    reason: str
    threshold: float | None = None
    far: float | None = None  # of the rule: of twins where there is a twin, never of strangers


def decide(
    score: float, calibration: Calibration | None, twin: bool = False, twin_score: float | None = None, coarse: bool = False
) -> Decision:
    """score: to the claimed person. twin: a twin is declared; twin_score: to the twin, where it is enrolled. coarse: a face was framed by
    its box alone, which blurs what twins differ in: it gets no decision about them (ours).

    With a twin: accepted iff score >= tau_twin and score - twin_score >= delta.

    >>> decide(0.8, None).accept is None
    True
    """
    if twin_score is not None and not twin:
        raise ValueError("twin_score without a twin: say that there is one, or leave twin_score out")
    if not all(np.isfinite(value) for value in (score, twin_score) if value is not None):
        raise ValueError(f"score {score}, twin_score {twin_score}: both must be finite")
    if calibration is None:
        return Decision(None, "none", "uncalibrated: run calibrate on labelled pairs of your own cameras")
    if not twin:
        t = calibration.general
        accept = score >= t.value
        return Decision(accept, "general", "" if accept else f"score below {t.value:.4f}", t.value, t.far)
    if coarse:
        return Decision(None, "none", "coarse: no pair of eyes was found, and no decision about twins is taken; give another photograph")
    if calibration.twin is None:
        return Decision(None, "none", "twin error unknown: calibrate on pairs of twins")
    t = calibration.twin
    if twin_score is None:
        accept = score >= t.value
        reason = "the twin is not enrolled: judged by the twin threshold alone"
        return Decision(accept, "twin, not enrolled", reason if accept else f"score below {t.value:.4f}; {reason}", t.value, t.far)
    if calibration.delta is None:
        return Decision(None, "none", "margin to the twin unknown: calibrate on genuine images of people with twins")
    if score < t.value:
        return Decision(False, "twin", f"score below {t.value:.4f}", t.value, t.far)
    if score - twin_score < calibration.delta:
        return Decision(False, "twin", f"not {calibration.delta:.4f} nearer than to the twin", t.value, t.far)
    return Decision(True, "twin", "", t.value, t.far)


def decide_pair(score: float, calibration: Calibration | None, twins: bool = False, coarse: bool = False) -> Decision:
    """Of two images that no gallery knows: where they may be of twins, the threshold of twins decides alone."""
    found = decide(score, calibration, twins, coarse=coarse)
    if found.rule != "twin, not enrolled":
        return found
    reason = found.reason.replace("the twin is not enrolled", "two images")
    return found._replace(rule="twin, no gallery", reason=reason)


def calibrate(
    scores: np.ndarray,
    same: np.ndarray,
    family_N2: np.ndarray,
    far: float,
    gaps: np.ndarray | None = None,
    seed: int = 0,
    twin_far: float | None = None,
    fine_N: np.ndarray | None = None,
) -> Calibration:
    """Both thresholds at the same rate of false accepts, or that of twins at `twin_far`. An impostor pair within a family is one of twins.

    fine: the pairs of which the twin rule may decide, on which alone it stands; by default all.
    gaps: of genuine images of people with a twin, the score to oneself less the score to the twin.
    """
    scores, same, family_N2 = np.asarray(scores, np.float64), np.asarray(same).astype(bool), np.asarray(family_N2)
    within = family_N2[:, 0] == family_N2[:, 1]
    general = threshold_at(scores[same | ~within], same[same | ~within], family_N2[same | ~within], far, "general", seed)
    least = lowest(scores[same])
    least = None if least is None else max(ENROL_MIN, least)
    twins = (same | within) & (True if fine_N is None else fine_N)
    if not (twins & ~same).any():
        if gaps is not None:
            raise UserError("gaps to the twin, but no pair of twins among the impostors; give pairs of twins, or leave gaps out")
        return Calibration(general, enrol_min=least)
    twin = threshold_at(scores[twins], same[twins], family_N2[twins], far if twin_far is None else twin_far, "twin", seed)
    return Calibration(general, twin, None if gaps is None else margin_of(gaps), least)


def threshold_at(scores: np.ndarray, same: np.ndarray, family_N2: np.ndarray, far: float, kind: str, seed: int = 0) -> Threshold:
    """The smallest that accepts no more impostors than far; refused where the pairs are too few to say."""
    found = supported(scores, same, far, f"{kind} pairs", "ask for a higher rate")

    def achieved(scores: np.ndarray, same: np.ndarray, weight: np.ndarray) -> float:
        return float(np.average(scores[~same] >= found.threshold, weights=weight[~same]))

    interval = cluster_bootstrap(achieved, scores, same, family_N2, seed=seed)
    return Threshold(found.threshold, far, interval.low, interval.high, found.value, int((~same).sum()), interval.families)


def supported(scores: np.ndarray, same: np.ndarray, far: float, what: str, remedy: str) -> TarAtFar:
    """The threshold at this rate; refused where there is none that somebody could reach."""
    found = tar_at_far(scores, same, far)
    if not np.isfinite(found.value):
        raise UserError(f"{what}: {found.reason}; {remedy}, or give more pairs")
    if not np.isfinite(found.threshold):
        highest = scores[~same].max()
        tied = int((scores[~same] == highest).sum())
        raise UserError(
            f"{what}: {tied} impostors tie at the highest score, {highest:.4f}, and FAR {far:g} accepts fewer: copies of an image that are "
            f"labelled as two people? correct the list, or {remedy}"
        )
    return found


def margin_of(gaps: np.ndarray, loss: float = LOSS) -> float | None:
    """delta: the largest margin that refuses no more than this share of genuine images, and never below 0; None: they are too few."""
    gaps = np.asarray(gaps, np.float64)
    if not len(gaps) or not np.isfinite(gaps).all():
        raise UserError(f"{len(gaps)} gaps to the twin, of which {int((~np.isfinite(gaps)).sum())} are no numbers; give genuine images")
    least = lowest(gaps, loss)
    return None if least is None else max(0.0, least)


def lowest(values: np.ndarray, loss: float = LOSS) -> float | None:
    """The largest value that no more than this share lie below; None where so few say nothing about such a share."""
    if loss * len(values) < 1 - 1e-9:
        return None
    return float(np.sort(values)[int(np.floor(loss * len(values) + 1e-9))])
