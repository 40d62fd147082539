"""How a decision is told: in JSON, by the exit code, and with nothing to climb under --quiet."""

import json
from typing import Any

import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.decision import Decision
from apps.ahan.verbs.codes import ACCEPTED, REJECTED, UNCALIBRATED
from apps.base.predict.answer import plain
from apps.base.shell import Shell

__all__ = ["code_of", "llr_of", "show", "told"]


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


def llr_of(calibration: CalibrationFile | None, decision: Decision, score: float) -> float | None:
    """The score as a log-likelihood ratio, natural, among the pairs that the rule was calibrated on; None: not known."""
    rule = {"general": "general", "twin": "twin", "twin, not enrolled": "twin"}.get(decision.rule)
    if calibration is None or rule not in calibration.llr:
        return None
    return round(float(calibration.llr[rule](np.array([score]))[0]), 4)
