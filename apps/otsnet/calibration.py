"""How sure is sure: one temperature for characters and one for words, both from validation.

Shapes: N words, L slots, S slots or columns, K classes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from apps.base.calibration import best_temperature
from apps.otsnet import vocabulary
from apps.otsnet.answer import word_confidence

__all__ = ["PLAIN", "Temperatures", "fit_temperatures", "sharpen"]

STEPS = 20  # of the search: T to a thousandth, and a table of a thousand words is no small thing to raise to a power


class Temperatures(NamedTuple):
    """ours: two. A wrong word has several wrong characters more often than chance would have it, so that one cannot serve both."""

    characters: float = 1.0
    words: float = 1.0


PLAIN = Temperatures()


def sharpen(table_NSK: Tensor, temperature: float) -> Tensor:
    """The table as its logits divided by the temperature would give it; above 1 it is less sure."""
    return table_NSK if temperature == 1.0 else (table_NSK.clamp(min=1e-30).log() / temperature).softmax(-1)


def fit_temperatures(
    confidences: Callable[[Tensor, Tensor], Tensor], table_NSK: Tensor, tokens_NL: Tensor, truth_NL: Tensor
) -> Temperatures:
    """Of the answers to validation words; `confidences` is the reader's. What is told is the chance of being right: of what was read,
    not of the truth, which a letter read twice would put beside every slot behind it.
    """
    if not len(tokens_NL):
        return PLAIN
    shown_NL = vocabulary.up_to_end(tokens_NL)
    right_NL = tokens_NL == truth_NL
    right_N = (right_NL | ~shown_NL).all(1)  # behind the end nothing was read

    def of_characters(temperature: float) -> float:
        return _surprise(confidences(sharpen(table_NSK, temperature), tokens_NL)[shown_NL], right_NL[shown_NL])

    def of_words(temperature: float) -> float:
        return _surprise(word_confidence(confidences(sharpen(table_NSK, temperature), tokens_NL)), right_N)

    return Temperatures(best_temperature(of_characters, STEPS), best_temperature(of_words, STEPS))


def _surprise(sure_N: Tensor, right_N: Tensor) -> float:
    """Mean cross-entropy of right and wrong. Counted as if one more of each had been seen (Platt, 1999): where none is wrong, the best
    temperature would be zero.
    """
    right, wrong = int(right_N.sum()), int((~right_N).sum())
    target_N = torch.where(right_N, (right + 1) / (right + 2), 1 / (wrong + 2)).double()
    sure_N = sure_N.double().clamp(1e-12, 1 - 1e-12)
    return float(-(target_N * sure_N.log() + (1 - target_N) * (1 - sure_N).log()).mean())
