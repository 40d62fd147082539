"""Re-ranking by k-reciprocal neighbours: pictures that are near each other's neighbours move together.

Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017; from the paper's formulas. Off by default: it ranks
a query with the help of all other queries and of the whole gallery, which a single search does not have.
Legend: Q queries, G gallery, N = Q + G, D width.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor

__all__ = ["rerank"]

MOST = 40_000  # pictures: all pairs of distances are kept


def rerank(query_QD: Tensor, gallery_GD: Tensor, *, k1: int = 20, k2: int = 6, weight: float = 0.3) -> Tensor:
    """(Q,G) scores, larger is more alike: minus [(1 - weight) Jaccard distance + weight original distance] (eq. 12).

    k1: neighbours of a reciprocal set; k2: of the local query expansion; weight: lambda
    """
    queries, count = len(query_QD), len(query_QD) + len(gallery_GD)
    if not 1 <= k2 <= k1 or not 0 <= weight <= 1:
        raise ValueError(f"re-ranking needs 1 <= k2 <= k1 and 0 <= weight <= 1, got k2 {k2}, k1 {k1}, weight {weight}")
    if k1 >= count:
        raise ValueError(f"k1 {k1} neighbours of {count} pictures: lower k1")
    if count > MOST:
        raise ValueError(f"{count} pictures are more than the {MOST:,} that re-ranking keeps all distances of; rank without it")
    vectors_ND = F.normalize(torch.cat([query_QD, gallery_GD]).double(), dim=1)
    distance_NN = (2 - 2 * vectors_ND @ vectors_ND.T).clamp(min=0).float()  # squared Euclidean
    distance_NN /= distance_NN.amax(1, keepdim=True).clamp(min=1e-12)  # ours, as is usual: each row to a greatest distance of 1
    near_NK = distance_NN.topk(k1 + 1, largest=False).indices.numpy()  # nearest first; the picture itself is among them
    encoded_NN = _encoded(distance_NN.numpy(), near_NK, k1)
    if k2 > 1:  # eq. 11, over the picture and its nearest
        encoded_NN = csr_matrix(_membership(near_NK[:, :k2], count) @ encoded_NN / k2)
    jaccard_QG = _jaccard(encoded_NN, queries)
    return -torch.from_numpy((1 - weight) * jaccard_QG + weight * distance_NN[:queries, queries:].double().numpy())


def _encoded(distance_NN: np.ndarray, near_NK: np.ndarray, k1: int) -> csr_matrix:
    """Each picture as weights on its expanded reciprocal neighbours, exp(-distance), of sum 1 (eq. 7)."""
    count = len(near_NK)
    wide_NN = _reciprocal(near_NK, count)
    half_NN = _reciprocal(near_NK[:, : round(k1 / 2) + 1], count)
    # eq. 5: a neighbour's own, narrower set joins where two thirds of it are in already.
    shared = (wide_NN @ half_NN.T).multiply(wide_NN).tocoo()
    sizes = np.asarray(half_NN.sum(1)).ravel()
    joins = shared.data >= 2 / 3 * sizes[shared.col] - 1e-6
    joining_NN = csr_matrix((np.ones(joins.sum(), np.float32), (shared.row[joins], shared.col[joins])), shape=(count, count))
    rows, columns = (wide_NN + joining_NN @ half_NN).nonzero()
    weights = np.exp(-distance_NN[rows, columns].astype(np.float64))
    totals = np.bincount(rows, weights, minlength=count)
    return csr_matrix((weights / totals[rows], (rows, columns)), shape=(count, count))


def _membership(near_NK: np.ndarray, count: int) -> csr_matrix:
    rows = np.arange(len(near_NK)).repeat(near_NK.shape[1])
    return csr_matrix((np.ones(near_NK.size, np.float32), (rows, near_NK.ravel())), shape=(len(near_NK), count))


def _reciprocal(near_NK: np.ndarray, count: int) -> csr_matrix:
    """Neighbours that have each other (eq. 3)."""
    member = _membership(near_NK, count)
    return csr_matrix(member.multiply(member.T))


def _jaccard(encoded_NN: csr_matrix, queries: int) -> np.ndarray:
    """1 - sum of minima / sum of maxima (eq. 10). Rows sum to 1, so the maxima sum to 2 minus the minima."""
    by_column = encoded_NN[queries:].tocsc()
    gallery = by_column.shape[0]
    distance = np.empty((queries, gallery))
    for query in range(queries):
        row = encoded_NN[query]
        overlap = by_column[:, row.indices]
        least = np.minimum(overlap.data, row.data.repeat(np.diff(overlap.indptr)))
        minima = np.bincount(overlap.indices, least, minlength=gallery)
        distance[query] = 1 - minima / (2 - minima)
    return distance
