"""How a decision is told: in JSON, by the exit code, and with nothing to climb under --quiet."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.decision import Decision
from apps.ahan.verbs.asking import Asked
from apps.ahan.verbs.codes import ACCEPTED, REJECTED, UNCALIBRATED
from apps.base.predict.answer import plain
from apps.base.shell import Shell

__all__ = ["code_of", "evidence", "say_coarse", "show", "told"]

# among which pairs a rule was calibrated
RULES = {"general": "general", "twin": "twin", "twin, not enrolled": "twin", "twin, no gallery": "twin"}


def show(shell: Shell, answer: dict[str, Any]) -> None:
    """To stdout. Under --quiet the decision alone: who sees scores can climb them."""
    if shell.quiet:
        answer = {name: answer[name] for name in ("schema", "decision")}
    print(json.dumps(answer, ensure_ascii=False))


def told(decision: Decision) -> dict[str, Any]:
    """A decision for JSON."""
    words = {True: "accept", False: "reject", None: None}
    return {
        "decision": words[decision.accept],
        "rule": decision.rule,
        "threshold": decision.threshold if decision.threshold is None else plain(decision.threshold),
        "far": decision.far,
        "reason": decision.reason,
    }


def code_of(decision: Decision) -> int:
    return {True: ACCEPTED, False: REJECTED, None: UNCALIBRATED}[decision.accept]


def evidence(calibration: CalibrationFile | None, decision: Decision, score: float) -> dict[str, float | None]:
    """far_at_score: the share of impostors that score as much or more, at most. llr: the score as a log-likelihood ratio, natural. Both
    among the pairs that the rule was calibrated on; None: not known.
    """
    rule = RULES.get(decision.rule)
    if calibration is None or rule is None:
        return {"far_at_score": None, "llr": None}
    far, llr = calibration.far_at.get(rule), calibration.llr.get(rule)
    return {
        "far_at_score": None if far is None else plain(far(score)),
        "llr": None if llr is None else round(float(llr(np.array([score]))[0]), 4),
    }


def say_coarse(shell: Shell, asked: Iterable[Asked]) -> None:
    for one in asked:
        if one.coarse:
            shell.say(f"{one.path}: coarse: no pair of eyes was found; the score is less sure, and nothing is decided about twins")
