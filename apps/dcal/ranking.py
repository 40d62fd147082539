"""Ranked retrieval, measured: mAP, CMC and mINP under protocols that are named after what they leave out.

Legend: Q queries, G gallery, D width.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from apps.base.errors import UserError

__all__ = ["Asking", "Gathered", "Protocol", "Ranking", "evaluate", "kept", "measure", "sides", "similarity"]

Protocol = Literal["market", "cross", "same-camera-allowed"]
Metric = Literal["cosine", "euclidean"]
Asking = Literal["marked", "all"]
RANKS = (1, 5, 10)
CHUNK = 256  # queries at a time

_Ranks = np.ndarray  # of one query's matches


class Ranking(NamedTuple):
    protocol: Protocol
    mean_ap: float  # mAP, without interpolation
    cmc: dict[int, float]  # share of queries with a match among the first k
    mean_inp: float  # mINP: matches / rank of the last one
    queries: int  # averaged over
    unmatched: int  # queries without a match in what the protocol leaves them: counted, not averaged
    average_precisions: np.ndarray  # (Q,), NaN where there is no match
    by: str = ""  # what has changed the scores, such as rerank

    @property
    def name(self) -> str:
        return f"{self.protocol}+{self.by}" if self.by else self.protocol

    def named(self) -> dict[str, float]:
        """Values for a log. The protocol is part of the name: numbers under different ones cannot be compared."""
        cmc = {f"{self.name}/R{k}": value for k, value in self.cmc.items()}
        return {
            f"{self.name}/mAP": self.mean_ap,
            **cmc,
            f"{self.name}/mINP": self.mean_inp,
            f"{self.name}/unmatched": self.unmatched,
        }


class Gathered(NamedTuple):
    """What the evaluation batches of a split bring together, and the model's vectors. A camera of -1 is not known."""

    vectors: Tensor  # (N,D)
    identity: Tensor  # (N,), int64
    camera: Tensor  # (N,), int64
    is_query: Tensor  # (N,), bool


def similarity(query_QD: Tensor, gallery_GD: Tensor, metric: Metric = "cosine") -> Tensor:
    """(Q,G): cosine, or the negative Euclidean distance, in float64."""
    query_QD, gallery_GD = query_QD.double(), gallery_GD.double()
    if metric == "cosine":
        return F.normalize(query_QD, dim=1) @ F.normalize(gallery_GD, dim=1).T
    return -torch.cdist(query_QD, gallery_GD, compute_mode="donot_use_mm_for_euclid_dist")


def evaluate(
    data: Gathered,
    protocol: Protocol,
    *,
    metric: Metric = "cosine",
    asking: Asking = "marked",
    ranks: Sequence[int] = RANKS,
    chunk: int = CHUNK,
) -> Ranking:
    """How well the split's queries find the same identity, scored chunk by chunk.

    asking: "marked" ranks the gallery for the pictures marked as queries; "all" ranks all other pictures for every one, which with
        protocol "cross" is each camera against the others
    """
    rows_Q, rows_G = sides(data, asking)
    finite = torch.isfinite(data.vectors).all(1)
    if not finite.all():
        raise ValueError(
            f"{int((~finite).sum())} of {len(finite)} vectors are not finite; the first is number {int((~finite).int().argmax())}"
        )
    columns = [data.vectors[rows_G], data.identity[rows_G], data.camera[rows_G]]
    _check_cameras(torch.cat([data.camera[rows_Q], columns[2]]), protocol)
    found: list[_Ranks] = []
    for rows in rows_Q.split(chunk):
        scores_QG = similarity(data.vectors[rows], columns[0], metric)
        kept_QG = kept(protocol, data.identity[rows], data.camera[rows], columns[1], columns[2]) & (rows[:, None] != rows_G)
        found += _ranked(scores_QG, kept_QG, data.identity[rows][:, None] == columns[1])
    return _summary(found, protocol, ranks, torch.cat([data.camera[rows_Q], columns[2]]))


def measure(
    scores_QG: Tensor,
    query_identity_Q: Tensor,
    query_camera_Q: Tensor,
    gallery_identity_G: Tensor,
    gallery_camera_G: Tensor,
    protocol: Protocol,
    *,
    ranks: Sequence[int] = RANKS,
    by: str = "",
) -> Ranking:
    """The same from scores that are there already (larger is more alike), such as re-ranked ones; `by` then says so in the metric."""
    if scores_QG.shape != (len(query_identity_Q), len(gallery_identity_G)):
        raise ValueError(f"scores of {tuple(scores_QG.shape)} for {len(query_identity_Q)} queries and {len(gallery_identity_G)} pictures")
    if not torch.isfinite(scores_QG).all():
        raise ValueError("scores that are not finite; the vectors are broken")
    cameras = torch.cat([query_camera_Q, gallery_camera_G])
    _check_cameras(cameras, protocol)
    kept_QG = kept(protocol, query_identity_Q, query_camera_Q, gallery_identity_G, gallery_camera_G)
    found = _ranked(scores_QG, kept_QG, query_identity_Q[:, None] == gallery_identity_G)
    return _summary(found, protocol, ranks, cameras)._replace(by=by)


def sides(data: Gathered, asking: Asking) -> tuple[Tensor, Tensor]:
    """The rows that ask, and those of the gallery. Where all ask they are the same, and no row ranks itself."""
    rows = torch.arange(len(data.identity), device=data.identity.device)
    if asking == "all":
        return rows, rows
    if asking != "marked":
        raise ValueError(f"asking is 'marked' or 'all', not {asking!r}")
    return rows[data.is_query], rows[~data.is_query]


def _check_cameras(cameras: Tensor, protocol: str) -> None:
    if protocol not in get_args(Protocol):
        raise ValueError(f"protocol {protocol!r} is not one of {', '.join(get_args(Protocol))}")
    if protocol != "same-camera-allowed" and (missing := int((cameras < 0).sum())):
        raise UserError(f"{missing} of {len(cameras)} pictures have no camera, which protocol {protocol} needs; use same-camera-allowed")


def kept(protocol: str, identity_Q: Tensor, camera_Q: Tensor, identity_G: Tensor, camera_G: Tensor) -> Tensor:
    """(Q,G): what is ranked at all."""
    same_camera = camera_Q[:, None] == camera_G
    if protocol == "market":
        return ~(same_camera & (identity_Q[:, None] == identity_G))
    if protocol == "cross":
        return ~same_camera
    return torch.ones_like(same_camera)


def _ranked(scores_QG: Tensor, kept_QG: Tensor, same_QG: Tensor) -> list[_Ranks]:
    """The ranks of each query's matches, best first. Sorted values tell them faster than a sorted gallery."""
    # Rounded to float32, equal vectors have equal scores whatever order the sums were made in; ties then follow the gallery's order.
    scores = scores_QG.float().masked_fill(~kept_QG, -torch.inf).cpu().numpy()
    matches = (same_QG & kept_QG).cpu().numpy()
    ordered = np.sort(scores, axis=1)
    found = []
    for row, values, match in zip(scores, ordered, matches, strict=True):
        places = np.flatnonzero(match)
        above = np.searchsorted(values, row[places], "right")
        ranks = len(row) - above + 1
        for at in np.flatnonzero(above - np.searchsorted(values, row[places]) > 1):  # ties
            ranks[at] += np.count_nonzero(row[: places[at]] == row[places[at]])
        found.append(np.sort(ranks))
    return found


def _summary(found: list[_Ranks], protocol: Protocol, ranks: Sequence[int], cameras: Tensor) -> Ranking:
    matched = [own for own in found if len(own)]
    if not matched:
        known = ", ".join(str(camera) for camera in cameras.unique().tolist()) or "none"
        why = (
            "no query's identity is in the gallery; look at the split"
            if protocol == "same-camera-allowed"
            else "matches by the query's own camera do not count; correct the camera labels, or use same-camera-allowed"
        )
        raise UserError(f"none of the {len(found)} queries has a match left under protocol {protocol} (cameras: {known}): {why}")
    precisions = np.array([np.mean(np.arange(1, len(own) + 1) / own) if len(own) else np.nan for own in found])
    first = np.array([own[0] for own in matched])
    cmc = {k: float(np.mean(first <= k)) for k in ranks}
    penalties = [len(own) / own[-1] for own in matched]
    left = len(found) - len(matched)
    return Ranking(protocol, float(np.nanmean(precisions)), cmc, float(np.mean(penalties)), len(matched), left, precisions)
