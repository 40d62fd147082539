"""How probable given words are by a table: exactly, and allowing for letters that were missed or read twice.

Shapes: W words, M most characters of one, L slots, S columns, K classes (0: the end, or of columns nothing), X = 2 M + 1 places.
"""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["spelled_in_columns", "spelled_in_slots"]

TINY = 1e-30
SKIP = -math.log(0.01)  # ours: what a letter too many or too few costs, in nats: as much as a letter of one percent


def padded(words: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """(tokens (W,M) with 0 behind the word, lengths (W,))."""
    length_W = np.array([len(word) for word in words], np.int64)
    tokens_WM = np.zeros((len(words), max(1, int(length_W.max(initial=0)))), np.int64)
    for row, word in enumerate(words):
        tokens_WM[row, : len(word)] = word
    return tokens_WM, length_W


def spelled_in_columns(table_SK: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
    """Logarithm of the probability of each word, over all ways to write it into the columns (CTC's forward sum)."""
    tokens_WM, length_W = padded(words)
    p_SK = np.maximum(table_SK.astype(np.float64), TINY)
    places_WX = np.zeros((len(words), 2 * tokens_WM.shape[1] + 1), np.int64)
    places_WX[:, 1::2] = tokens_WM
    # from two places back: over nothing, to another character
    jump_WX = np.zeros(places_WX.shape, bool)
    jump_WX[:, 3::2] = places_WX[:, 3::2] != places_WX[:, 1:-2:2]
    alpha_WX, scale_W = np.zeros(places_WX.shape), np.zeros(len(words))
    alpha_WX[:, 0] = 1.0
    for p_K in p_SK:
        come_WX = alpha_WX.copy()
        come_WX[:, 1:] += alpha_WX[:, :-1]
        come_WX[:, 2:] += np.where(jump_WX[:, 2:], alpha_WX[:, :-2], 0.0)
        alpha_WX = come_WX * p_K[places_WX]
        total_W = np.maximum(alpha_WX.sum(1), 1e-300)
        alpha_WX, scale_W = alpha_WX / total_W[:, None], scale_W + np.log(total_W)
    rows = np.arange(len(words))
    ended_W = alpha_WX[rows, 2 * length_W] + np.where(length_W > 0, alpha_WX[rows, np.maximum(2 * length_W - 1, 0)], 0.0)
    with np.errstate(divide="ignore"):
        return np.log(ended_W) + scale_W


def spelled_in_slots(table_LK: np.ndarray, read: int, words: Sequence[Sequence[int]]) -> np.ndarray:
    """An edit distance in nats, less than 0: replacing costs what the slot thinks of the other letter, a letter too many or too few SKIP.

    read: how many characters the word was read as
    """
    tokens_WM, length_W = padded(words)
    cost_LK = -np.log(np.maximum(table_LK[:read].astype(np.float64), TINY))
    row_WJ = np.tile(np.arange(tokens_WM.shape[1] + 1) * SKIP, (len(words), 1))
    for cost_K in cost_LK:
        above_WJ, row_WJ = row_WJ, np.empty_like(row_WJ)
        row_WJ[:, 0] = above_WJ[:, 0] + SKIP
        replaced_WM = above_WJ[:, :-1] + cost_K[tokens_WM]
        skipped_WM = above_WJ[:, 1:] + SKIP
        better_WM = np.minimum(replaced_WM, skipped_WM)
        for j in range(tokens_WM.shape[1]):
            row_WJ[:, j + 1] = np.minimum(better_WM[:, j], row_WJ[:, j] + SKIP)
    return -row_WJ[np.arange(len(words)), length_W]
