"""What every reader answers: the word slot by slot, and how sure of it.

Shapes: B batch, L slots, N tokens, G groups of codes, C classes, S slots, or columns of a reader by columns.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from apps.otsnet import vocabulary

__all__ = ["Answer", "Rule", "answer_margin", "best", "chosen", "refine_margin", "refined", "two_best", "word_confidence"]


class Answer(NamedTuple):
    """A reader without a verifier, an attention or codes gives a last dimension of 0 there."""

    tokens: Tensor  # int64 (B,L): characters, one end, then pad
    probs: Tensor  # (B,L) of the characters and the end; 1 behind it, so that the product over slots is the word's
    verify: Tensor  # (B,L): probability that the character is right; 1 behind the end
    attention: Tensor  # (B,L,N), rows are shares of one
    codes: Tensor  # int64 (B,L,G)
    first: Tensor  # int64 (B,L): the word before it was refined
    margin: Tensor  # (B,): how clear the narrowest decision was
    table: Tensor  # (B,S,C): probability of every class in every slot or column, of which the word was chosen


def word_confidence(probs_BL: Tensor) -> Tensor:
    """Product over characters and the end, (B,)."""
    return probs_BL.prod(1)


def best(p_BLC: Tensor, characters: int) -> Tensor:
    """The most probable word: what is most probable in each slot, up to the first end."""
    return vocabulary.close(p_BLC.argmax(-1), characters, last=True)


def chosen(p_BLC: Tensor, tokens_BL: Tensor) -> Tensor:
    """Probability of each token of a closed word; 1 behind its end."""
    behind_BL = vocabulary.behind_end(tokens_BL)
    p_BL = p_BLC.gather(2, tokens_BL.masked_fill(behind_BL, vocabulary.END).unsqueeze(2)).squeeze(2)
    return p_BL.masked_fill(behind_BL, 1.0)


class Rule(NamedTuple):
    """When a character is replaced."""

    everywhere: bool
    verify_threshold: float = 0.5
    replace_threshold: float = 0.0

    def cut(self) -> float:
        """Of the judge's logit: exactly never at 0, exactly always at 1."""
        t = self.verify_threshold
        return -math.inf if t <= 0 else math.inf if t >= 1 else math.log(t / (1 - t))


def refined(tokens_BL: Tensor, p_BLC: Tensor, judged_BL: Tensor, characters: int, rule: Rule) -> Tensor:
    """The next hypothesis: the spelled character where the old one is judged wrong, or everywhere.

    Behind the end there is nothing to judge; there stands what is spelled, and shows only if the end itself is replaced.
    """
    top_BL, spelled_BL = p_BLC.max(-1)
    if not rule.everywhere:
        wrong_BL = (judged_BL < rule.cut()) & (top_BL > rule.replace_threshold)
        spelled_BL = torch.where(wrong_BL | vocabulary.behind_end(tokens_BL), spelled_BL, tokens_BL)
    return vocabulary.close(spelled_BL, characters, last=True)


def refine_margin(tokens_BL: Tensor, new_BL: Tensor, p_BLC: Tensor, judged_BL: Tensor, rule: Rule) -> Tensor:
    """How clear the narrowest decision of one round of refinement was, (B,)."""
    behind_BL = vocabulary.behind_end(tokens_BL)
    if rule.everywhere:
        return answer_margin(p_BLC, new_BL)
    taken_BL = ~vocabulary.behind_end(new_BL)
    right_BL, (top_BL, second_BL) = judged_BL.sigmoid(), two_best(p_BLC)
    wrong_BL = judged_BL < rule.cut()
    spelled_BL = (top_BL - second_BL).masked_fill(~(taken_BL & (wrong_BL | behind_BL)), 1.0)
    judge_BL = (right_BL - rule.verify_threshold).abs().masked_fill(behind_BL, 1.0)
    replace_BL = (top_BL - rule.replace_threshold).abs().masked_fill(behind_BL | ~wrong_BL, 1.0)
    return torch.minimum(torch.minimum(spelled_BL.amin(1), judge_BL.amin(1)), replace_BL.amin(1))


def two_best(p_BLC: Tensor) -> tuple[Tensor, Tensor]:
    """The largest and the second largest: what topk(2) gives, in a fifth of its time on a CPU."""
    top_BL1, index_BL1 = p_BLC.max(-1, keepdim=True)
    return top_BL1.squeeze(-1), p_BLC.scatter(-1, index_BL1, -1.0).amax(-1)


def answer_margin(p_BLC: Tensor, tokens_BL: Tensor) -> Tensor:
    """The smallest gap between the two most probable characters of slots up to the end, (B,)."""
    top_BL, second_BL = two_best(p_BLC)
    return (top_BL - second_BL).masked_fill(vocabulary.behind_end(tokens_BL), 1.0).amin(1)
