"""The most probable word among those that an automaton lets through, exactly: slot by slot, or column by column of a reader by columns.

Shapes: Q states, C characters, K = C + 1 classes (0: the end, or of columns nothing), L slots, S columns, T transitions, G groups.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from apps.otsnet.pattern import Automaton
from apps.otsnet.spelled import spelled_in_columns

__all__ = ["Found", "best_of_columns", "best_of_slots"]

TINY = 1e-30


class Found(NamedTuple):
    word: list[int]  # tokens, without the end
    probability: float  # of the word, as the table has it
    mass: float  # of all words that are let through, together
    places: list[list[int]]  # slots or columns of each character


@dataclass
class Groups:
    """Transitions in the order of where they lead, so that each target takes the best of its own."""

    order_T: np.ndarray
    starts_G: np.ndarray
    targets_G: np.ndarray

    @classmethod
    def by(cls, target_T: np.ndarray) -> "Groups":
        """target_T: -1 leads nowhere"""
        order_T = np.argsort(target_T, kind="stable")
        order_T = order_T[target_T[order_T] >= 0]
        targets_G, starts_G = np.unique(target_T[order_T], return_index=True)
        return cls(order_T, starts_G, targets_G)

    def best(self, score_T: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(score of each target, the transition that it comes by)."""
        best, by = np.full(size, -math.inf), np.full(size, -1, np.int64)
        if len(self.targets_G):
            sorted_T = score_T[self.order_T]
            top_G = np.maximum.reduceat(sorted_T, self.starts_G)
            group_T = np.repeat(np.arange(len(self.starts_G)), np.diff([*self.starts_G, len(sorted_T)]))
            winners_T = np.flatnonzero(sorted_T == top_G[group_T])
            _, first = np.unique(group_T[winners_T], return_index=True)
            best[self.targets_G], by[self.targets_G] = top_G, self.order_T[winners_T[first]]
        return best, by


def best_of_slots(table_LK: np.ndarray, automaton: Automaton) -> Found | None:
    """The last slot can only be the end. None where no word of this length is let through."""
    next_QC, accepts_Q = automaton.next_QC, automaton.accepts_Q
    states, characters = next_QC.shape
    p_LK = np.maximum(table_LK.astype(np.float64), TINY)
    log_LK, groups = np.log(p_LK), Groups.by(next_QC.ravel())
    score_Q, mass_Q, scale = np.where(np.arange(states) == 0, 0.0, -math.inf), (np.arange(states) == 0).astype(float), 0.0
    best, mass, back = (-math.inf, 0, 0), 0.0, []
    for slot in range(len(p_LK)):
        ended_Q = np.where(accepts_Q, score_Q + log_LK[slot, 0], -math.inf)
        if (top := float(ended_Q.max())) > best[0]:
            best = (top, slot, int(ended_Q.argmax()))
        mass += float(mass_Q[accepts_Q].sum()) * p_LK[slot, 0] * math.exp(scale)
        if slot == len(p_LK) - 1:
            break
        score_Q, by_Q = groups.best((score_Q[:, None] + log_LK[slot, 1:]).ravel(), states)
        back.append(by_Q)
        flow_T = (mass_Q[:, None] * p_LK[slot, 1:]).ravel()
        mass_Q = np.bincount(next_QC.ravel()[groups.order_T], flow_T[groups.order_T], states)
        if (total := float(mass_Q.sum())) <= 0:
            break
        mass_Q, scale = mass_Q / total, scale + math.log(total)
    if best[0] == -math.inf:
        return None
    word, state = [], best[2]
    for slot in range(best[1], 0, -1):
        by = int(back[slot - 1][state])
        state, character = divmod(by, characters)
        word.append(character + 1)
    word.reverse()
    return Found(word, math.exp(best[0]), mass, [[slot] for slot in range(len(word))])


def best_of_columns(table_SK: np.ndarray, automaton: Automaton) -> Found | None:
    """By the best path; the word's probability is that of all its paths. None where no word fits into the columns."""
    next_QC, accepts_Q = automaton.next_QC, automaton.accepts_Q
    states, characters = next_QC.shape
    log_SK = np.log(np.maximum(table_SK.astype(np.float64), TINY))
    target_QC = np.where(next_QC >= 0, next_QC * characters + np.arange(characters), -1)  # a state, and the character it was reached by
    groups = Groups.by(target_QC.ravel())
    blank_Q, char_QC = np.where(np.arange(states) == 0, 0.0, -math.inf), np.full((states, characters), -math.inf)
    back = []
    for log_K in log_SK:
        both_QX = np.concatenate([blank_Q[:, None], char_QC], 1)  # how a state was come to: nothing, or the character before
        top_Q = both_QX.argmax(1)
        first_Q = both_QX[np.arange(states), top_Q]
        rest_QX = both_QX.copy()
        rest_QX[np.arange(states), top_Q] = -math.inf
        second_Q = rest_QX.argmax(1)
        # a character after itself needs another column between them
        own_QC = top_Q[:, None] == np.arange(1, characters + 1)
        from_QC = np.where(own_QC, second_Q[:, None], top_Q[:, None])
        score_QC = np.where(own_QC, rest_QX[np.arange(states), second_Q][:, None], first_Q[:, None]) + log_K[1:]
        moved_X, by_X = groups.best(score_QC.ravel(), states * characters)
        stay_QC, moved_QC = char_QC + log_K[1:], moved_X.reshape(states, characters)
        back.append((top_Q, moved_QC > stay_QC, by_X.reshape(states, characters), from_QC))
        blank_Q, char_QC = first_Q + log_K[0], np.maximum(stay_QC, moved_QC)
    both_QX = np.where(accepts_Q[:, None], np.concatenate([blank_Q[:, None], char_QC], 1), -math.inf)
    if both_QX.max() == -math.inf:
        return None
    state, last = divmod(int(both_QX.argmax()), characters + 1)
    word: list[int] = []
    places: list[list[int]] = []
    open_place: list[int] = []
    for column in range(len(log_SK) - 1, -1, -1):
        top_Q, moved_QC, by_QC, from_QC = back[column]
        if last == 0:
            last = int(top_Q[state])
            continue
        open_place.insert(0, column)
        if moved_QC[state, last - 1]:
            word.insert(0, last)
            places.insert(0, open_place)
            open_place = []
            before, character = divmod(int(by_QC[state, last - 1]), characters)
            state, last = before, int(from_QC[before, character])
    probability = math.exp(spelled_in_columns(table_SK, [word])[0])
    return Found(word, probability, _mass_of_columns(table_SK, automaton, target_QC), places)


def _mass_of_columns(table_SK: np.ndarray, automaton: Automaton, target_QC: np.ndarray) -> float:
    states, characters = automaton.next_QC.shape
    flat_T = target_QC.ravel()
    there_T = flat_T >= 0
    blank_Q, char_QC, scale = (np.arange(states) == 0).astype(float), np.zeros((states, characters)), 0.0
    for p_K in np.maximum(table_SK.astype(np.float64), TINY):
        all_Q = blank_Q + char_QC.sum(1)
        flow_QC = (all_Q[:, None] - char_QC).clip(min=0) * p_K[1:]
        moved_X = np.bincount(flat_T[there_T], flow_QC.ravel()[there_T], states * characters)
        blank_Q, char_QC = all_Q * p_K[0], char_QC * p_K[1:] + moved_X.reshape(states, characters)
        total = float(blank_Q.sum() + char_QC.sum())
        if total <= 0:
            return 0.0
        blank_Q, char_QC, scale = blank_Q / total, char_QC / total, scale + math.log(total)
    return float((blank_Q + char_QC.sum(1))[automaton.accepts_Q].sum()) * math.exp(scale)
