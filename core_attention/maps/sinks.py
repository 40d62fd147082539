"""Sinks: tokens that draw attention without being about anything.

Secondary sinks (arXiv 2512.22213) were read as an abstract only: they are born in middle layers, live for some, draw less than
the primary one, and the mlp before their birth writes them along the primary sink's direction. The thresholds are ours.

Shapes: L layers, B batch, H heads, N queries, M keys, D width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["SecondarySink", "primary_sinks", "secondary_sinks", "sink_scores"]


def sink_scores(map_BHNM: Tensor, queries_BN: Tensor | None = None) -> Tensor:
    """Mean over queries and heads of what each key gets (B,M). `queries_BN`: the queries that count, of padded samples say."""
    mean_BNM = map_BHNM.mean(1)
    if queries_BN is None:
        return mean_BNM.mean(1)
    if queries_BN.dtype != torch.bool or queries_BN.shape != mean_BNM.shape[:2]:
        wanted = tuple(mean_BNM.shape[:2])
        raise ValueError(f"sink_scores: queries are bool {wanted}, not {queries_BN.dtype} {tuple(queries_BN.shape)}")
    sum_BM = torch.where(queries_BN[..., None], mean_BNM, 0.0).sum(1)
    return sum_BM / queries_BN.sum(1, keepdim=True).clamp(min=1)


def primary_sinks(scores_LBM: Tensor, tau: float = 0.3) -> Tensor:
    """Tokens that score more than tau in every one of the layers given, bool (B,M)."""
    return (_three(scores_LBM, "primary_sinks") > tau).all(0)


class SecondarySink(NamedTuple):
    sample: int
    token: int
    born: int  # the first layer in which it is one
    lifetime: int  # layers in a row
    score: float  # the greatest within them
    mlp_norm: float  # ||what the mlp of the layer before wrote to it||
    cosine: float  # of that with the primary sink's direction; nan where the sample has no primary sink


def secondary_sinks(scores_LBM: Tensor, mlp_LBMD: Tensor, values_LBMD: Tensor, tau: float = 0.3, weak: float = 0.1) -> list[SecondarySink]:
    """Tokens, primary sinks aside, that score more than `weak` in a run of layers that begins after the first.

    mlp_LBMD: what each layer's mlp adds to each token. values_LBMD: each token's value direction in each layer, in the space that
    the mlp writes to: proj(v), say. Of several primary sinks the one with the greatest score counts. A token may be born again.
    """
    layers, batch, tokens = _three(scores_LBM, "secondary_sinks").shape
    for name, given in (("mlp", mlp_LBMD), ("values", values_LBMD)):
        if given.ndim != 4 or given.shape[:3] != scores_LBM.shape or given.shape != mlp_LBMD.shape:
            raise ValueError(f"secondary_sinks: {name} is ({layers}, {batch}, {tokens}, D) with one D, not {tuple(given.shape)}")
    if weak > tau:
        raise ValueError(f"secondary_sinks: secondary sinks are the weaker ones, but weak={weak} is above tau={tau}")
    primary_BM = primary_sinks(scores_LBM, tau)
    alive_LBM = scores_LBM > weak  # a primary sink is one from the first layer on, so it is not born later
    strongest_B = scores_LBM.mean(0).masked_fill(~primary_BM, -1.0).argmax(1)
    found: list[SecondarySink] = []
    births = alive_LBM[1:] & ~alive_LBM[:-1]
    for place_3 in births.nonzero():
        born, sample, token = int(place_3[0]) + 1, int(place_3[1]), int(place_3[2])
        alive_L = alive_LBM[born:, sample, token]
        lifetime = int(alive_L.long().cumprod(0).sum())
        written_D = mlp_LBMD[born - 1, sample, token]
        direction_D = values_LBMD[born, sample, strongest_B[sample]]
        cosine = torch.cosine_similarity(written_D, direction_D, dim=0).item() if bool(primary_BM[sample].any()) else torch.nan
        score = scores_LBM[born : born + lifetime, sample, token].max().item()
        found.append(SecondarySink(sample, token, born, lifetime, score, written_D.square().sum().sqrt().item(), cosine))
    return sorted(found)


def _three(scores_LBM: Tensor, what: str) -> Tensor:
    if scores_LBM.ndim != 3:
        raise ValueError(f"{what}: scores are (layers, B, M), the sink_scores of each layer stacked, not {tuple(scores_LBM.shape)}")
    return scores_LBM
