"""How good a model is at verification on a set: plain values for JSON and for the page (section 5.7). No image and no name is in them.

Shapes: N pairs, M images.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.hard import HARD
from apps.ahan.judged import Judged, one_of_many
from apps.ahan.metrics import cmc, eer, open_set, tar_at_far
from apps.ahan.scenarios import FARS, Scored, measured, scenarios, spread
from datamodules.ahan.leak import leak
from datamodules.ahan.pairs import KIN, OTHER, TWIN, hard_twins

__all__ = ["FEWEST", "Sets", "by_group", "evaluated", "hard_pairs", "identification", "leaks", "sets_of"]

FEWEST = 30  # genuine pairs of a group, below which its figures are greyed

Sets = Mapping[str, Scored]


def sets_of(judged: Judged, hard_N: np.ndarray | None = None) -> Sets:
    """The pairs of two usable images, by kind of impostor."""
    usable = judged.usable
    found = scenarios(judged.scored.of(usable), judged.kind[usable])
    hard = None if hard_N is None else judged.scored.of(usable & hard_N)
    return found if hard is None or hard.same.all() or not hard.same.any() else {**found, HARD: hard}


def hard_pairs(judged: Judged, trials_pairs: Any, score_N: np.ndarray) -> np.ndarray:
    """(N,) bool: the twins whom another network takes for each other most, and the genuine pairs of the same people."""
    known = np.flatnonzero(np.isfinite(score_N))
    numbered = type(trials_pairs)(*(column[known] for column in trials_pairs))._replace(fold=known)
    hard_N = np.zeros(len(score_N), bool)
    hard_N[hard_twins(numbered, score_N[known], judged.numbers[:, 0]).fold] = True
    return hard_N


def evaluated(judged: Judged, sets: Sets, calibration: CalibrationFile | None, draws: int, seed: int) -> dict[str, Any]:
    """By set: every metric with its interval where one can be drawn, failures to enrol counted in, and what could not be said and why."""
    intervals = spread(sets, {}, seed, draws)
    flat = measured(sets)
    found = {}
    for name, pairs in sets.items():
        metrics = {key.removeprefix(f"{name}_"): value for key, value in flat.items() if key.startswith(f"{name}_")}
        ranges = {key: [each.low, each.high] for key, each in intervals.get(name, {}).items()}
        reasons = {f"tar_far_{far:g}": tar_at_far(pairs.score, pairs.same, far).reason for far in FARS}
        found[name] = {
            "genuine": int(pairs.same.sum()),
            "impostors": int((~pairs.same).sum()),
            "families": len(np.unique(pairs.family)),
            "metrics": {key: _number(value) for key, value in metrics.items()},
            "interval95": {key: [_number(low), _number(high)] for key, (low, high) in ranges.items()},
            "remarks": {key: reason for key, reason in reasons.items() if reason},
            **_with_failures(judged, name, pairs, calibration),
        }
    return found


def _with_failures(judged: Judged, name: str, pairs: Scored, calibration: CalibrationFile | None) -> dict[str, Any]:
    """A pair with an image that could not be enrolled is not accepted: rates over all pairs. Of hard twins nobody knows which failed."""
    if name == HARD:
        return {}
    lost = ~judged.usable
    of_kind = lost & (judged.scored.same | (judged.kind == name))
    same = judged.scored.same
    genuine, impostors = int(pairs.same.sum()), int((~pairs.same).sum())
    lost_genuine, lost_impostors = int((of_kind & same).sum()), int((of_kind & ~same).sum())
    keep_genuine, keep_impostors = genuine / (genuine + lost_genuine), impostors / (impostors + lost_impostors)
    told: dict[str, Any] = {"failed_pairs": {"genuine": lost_genuine, "impostors": lost_impostors}}
    at_far = {f"{far:g}": tar_at_far(pairs.score, pairs.same, far).value for far in FARS}
    told["generalised_tar"] = {far: _number(value * keep_genuine) for far, value in at_far.items() if np.isfinite(value)}
    # ours: nobody declares other kin, so that they meet the threshold of strangers
    rule = None if calibration is None else calibration.calibration.twin if name == TWIN else calibration.calibration.general
    decided = ~(judged.coarse[pairs.first] | judged.coarse[pairs.second]) if name == TWIN else np.ones(len(pairs.same), bool)
    if rule is not None and (decided & pairs.same).any() and (decided & ~pairs.same).any():
        accepted = pairs.score >= rule.value
        tar, far = (float(accepted[decided & kind].mean()) for kind in (pairs.same, ~pairs.same))
        # a pair without a decision is not accepted either
        all_tar, all_far = (float((accepted & decided)[kind].mean()) for kind in (pairs.same, ~pairs.same))
        told["calibrated"] = {
            "threshold": _number(rule.value), "far_asked": rule.far, "far": _number(far), "tar": _number(tar),
            "generalised_far": _number(all_far * keep_impostors), "generalised_tar": _number(all_tar * keep_genuine),
        }  # fmt: skip
    return told


def identification(judged: Judged, calibration: CalibrationFile | None, seed: int) -> dict[str, Any] | None:
    """Half of the families enrolled: how often the right name is among the first; at the calibrated threshold who gets one."""
    found = one_of_many(judged.vectors, judged.numbers, seed)
    if found is None:
        return None
    scores_QN, own_Q = found
    known = own_Q >= 0
    ranks = cmc(scores_QN[known], own_Q[known])
    told: dict[str, Any] = {"people": scores_QN.shape[1], "probes": int(known.sum()), "strangers": int((~known).sum())}
    told |= {"rank_1": _number(ranks[0]), "rank_5": _number(ranks[min(5, len(ranks)) - 1])}
    if calibration is not None and calibration.identify is not None:
        at = open_set(scores_QN, own_Q, calibration.identify.value)
        told["calibrated"] = {"people": calibration.identify.people, "fpir": calibration.identify.fpir}
        told |= {"threshold": _number(at.threshold), "fpir": _number(at.fpir), "fnir": _number(at.fnir)}
    return told


def leaks(features_MC: np.ndarray, judged: Judged, first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Whether the background alone tells who it is, against each kind of impostor."""
    usable, found = judged.usable, {}
    for name in (OTHER, KIN, TWIN):
        keep = usable & (judged.scored.same | (judged.kind == name))
        if (keep & ~judged.scored.same).any():
            told = leak(features_MC, first[keep], second[keep], judged.scored.same[keep], judged.scored.family[keep])
            found[name] = None if told is None else {**told._asdict(), "accuracy": _number(told.accuracy), "warns": told.warns}
    return found


def by_group(judged: Judged, first: np.ndarray, second: np.ndarray, group_M: list[str], threshold: float | None) -> list[dict[str, Any]]:
    """Pairs within a group, in the order of its name: groups are told, not ranked. Impostors are of other families."""
    group = np.array(group_M)
    within = judged.usable & (group[first] == group[second]) & (judged.scored.same | (judged.kind == OTHER))
    rows = []
    for name in sorted(set(group_M)):
        pairs = judged.scored.of(within & (group[first] == name))
        genuine, impostors = int(pairs.same.sum()), int((~pairs.same).sum())
        row: dict[str, Any] = {"group": name or "(none)", "genuine": genuine, "impostors": impostors, "few": genuine < FEWEST}
        if genuine and impostors:
            row["eer"] = _number(eer(pairs.score, pairs.same))
            if threshold is not None:
                accepted = pairs.score >= threshold
                row |= {"far": _number(float(accepted[~pairs.same].mean())), "frr": _number(float(1 - accepted[pairs.same].mean()))}
        rows.append(row)
    return rows


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
