"""What is counted and added up of each answer: every metric of section 5.4 but two follows from sums of these, over whatever frames.

Shapes: N frames; the last column of a confusion matrix are answers that are none.
"""

import numpy as np

from apps.hag.metrics.answers import MISSING, Answers, By, answered_class
from datamodules.hag.classes import size_class

__all__ = ["TASKS", "Sums", "border_class", "error_of", "known_class", "sums_of"]

TASKS = {"bin10": 2, "bin5": 2, "tri": 3}  # how many classes each has
Sums = dict[str, np.ndarray]  # each (..., its own shape)


def sums_of(answers: Answers, by: By) -> Sums:
    """A row for each frame of known size. `mm` errors are there where mm was answered, whatever the classes come from."""
    if not np.isfinite(answers.true).all():
        raise ValueError("sums are of frames whose size is known; ask for answers.known()")
    sums: Sums = {"known": np.ones(len(answers)), "censored": answers.censored.astype(np.float64)}
    given = answered_class(answers, by)
    for task, count in TASKS.items():
        sums[task] = _confusion(known_class(answers, task), border_class(given, task), count)
    if answers.mm is not None:
        sums |= _errors(answers)
    return sums


def _errors(answers: Answers) -> Sums:
    mm, true = answers.mm, answers.true
    assert mm is not None
    answered = np.isfinite(mm) & (mm > 0)
    mm = np.where(answered, mm, true)  # what is none adds 0 to every sum, and is in no count of answers
    error = error_of(mm, true, answers.censored)
    exact = answered & ~answers.censored
    size, difference = np.where(exact, true, 0.0), np.where(exact, mm - true, 0.0)
    return {
        "answered": answered * 1.0,
        "exact": exact * 1.0,
        "open": (answered & answers.censored) * 1.0,
        "error": error,
        "open_error": np.where(answers.censored, error, 0.0),
        "within_1mm": (answered & (error <= 1.0)) * 1.0,
        "within_20pct": (answered & (error <= 0.2 * true * (1 + 1e-12))) * 1.0,
        "difference": difference,
        "difference2": difference**2,
        "t": size,
        "p": np.where(exact, mm, 0.0),
        "tt": size**2,
        "pp": np.where(exact, mm, 0.0) ** 2,
        "tp": size * np.where(exact, mm, 0.0),
    }


def error_of(mm: np.ndarray, true: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """|p - t|; of a censored size, which is t or more, only what is missing to t."""
    return np.where(censored, np.maximum(0.0, true - mm), np.abs(mm - true))


def known_class(answers: Answers, task: str) -> np.ndarray:
    """The true class; MISSING where a censored size leaves it open: of `8 mm or more` nobody knows whether it is 10."""
    three = size_class(answers.true)
    if task == "bin5":
        open_ = answers.censored & (three == 0)
    else:
        open_ = answers.censored & (three < 2)
    return np.where(open_, MISSING, border_class(three, task))


def border_class(three: np.ndarray, task: str) -> np.ndarray:
    """Of the three classes those of a task: bin5 asks for more than 5 mm, bin10 for 10 mm or more."""
    if task == "tri":
        return three
    return np.where(three == MISSING, MISSING, three >= {"bin5": 1, "bin10": 2}[task])


def _confusion(true: np.ndarray, given: np.ndarray, count: int) -> np.ndarray:
    """(N,K,K+1)"""
    cells = np.zeros((len(true), count, count + 1))
    rows = np.flatnonzero(true != MISSING)
    cells[rows, true[rows], np.where(given[rows] == MISSING, count, given[rows])] = 1.0
    return cells
