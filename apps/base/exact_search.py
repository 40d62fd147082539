"""Exact search of vectors of length 1: the most alike by cosine, ties in the order in which they lie.

Legend: Q queries, N vectors that are searched, D width.
"""

import numpy as np
import torch

__all__ = ["best_rows", "cosines"]


def cosines(queries_QD: np.ndarray, vectors_ND: np.ndarray) -> np.ndarray:
    """(Q,N) of vectors of length 1."""
    if len(queries_QD) == 1:  # einsum reads the vectors about as fast as memory gives them; BLAS takes twice as long for one query
        return np.einsum("nd,d->n", vectors_ND, queries_QD[0])[None]
    return queries_QD @ vectors_ND.T


def best_rows(scores_N: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, their scores) of the `top` highest, or of all there are, best first. A row of -inf is left out."""
    top = min(top, len(scores_N))
    if top == 0:
        return np.zeros(0, np.int64), np.zeros(0, scores_N.dtype)
    scores_N = scores_N.round(6)  # equal vectors have equal scores, whatever order their sums were made in
    # topk does not say which of equal scores it takes: take all that reach the last one's, then sort those few.
    least = torch.topk(torch.from_numpy(scores_N), top).values[-1].item()
    rows = np.flatnonzero(scores_N >= least)
    rows = rows[np.argsort(-scores_N[rows], kind="stable")][:top]
    rows = rows[scores_N[rows] > -np.inf]
    return rows, scores_N[rows]
