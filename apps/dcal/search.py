"""Exact search of a gallery: the most alike by cosine, ties in the gallery's order.

Legend: Q queries, N entries of the gallery, D width.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from apps.base.errors import UserError
from apps.base.exact_search import best_rows, cosines
from apps.dcal.gallery import Entry, Gallery

__all__ = ["Hit", "Searcher"]

LEAST_FOR_A_MEAN = 20  # vectors of a camera; a mean of fewer is mostly those vectors themselves
CHUNK = 64  # queries at a time


class Hit(NamedTuple):
    entry: Entry
    row: int  # in the gallery
    score: float  # cosine


class Searcher:
    """A gallery made ready once for many searches.

    center_camera: subtract each camera's mean gallery vector from that camera's vectors before they get length 1. Cameras that differ in
        colour then no longer rank by camera first. Needs 20 vectors or more of every camera, and the camera of every query
    """

    def __init__(self, gallery: Gallery, *, center_camera: bool = False) -> None:
        self.gallery = gallery
        self.cameras = np.array([entry.camera for entry in gallery.entries], dtype=object)
        self.vectors_ND = torch.from_numpy(gallery.vectors).float()
        self.means: dict[str, Tensor] | None = None
        if center_camera:
            self.means = self._camera_means()
            centred_ND = self.vectors_ND.clone()
            for camera, mean_D in self.means.items():
                centred_ND[torch.from_numpy(self.cameras == camera)] -= mean_D
            self.vectors_ND = F.normalize(centred_ND, dim=1)

    def search(
        self,
        queries: np.ndarray | Tensor,
        model: str,
        *,
        top: int = 10,
        cameras: Sequence[str | None] | None = None,
        exclude_camera: bool = False,
    ) -> list[list[Hit]]:
        """For each query the `top` most alike, or all there are, best first.

        cameras: of the queries; needed where they are centred or where `exclude_camera` leaves out what their own camera saw
        """
        self.gallery.check_model(model)
        queries_QD = self._queries(torch.as_tensor(queries).detach(), cameras, exclude_camera)
        hits = []
        for first in range(0, len(queries_QD), CHUNK):
            scores_QN = cosines(queries_QD[first : first + CHUNK].numpy(), self.vectors_ND.numpy())
            for offset, scores_N in enumerate(scores_QN):
                if exclude_camera and cameras is not None:
                    scores_N[self.cameras == cameras[first + offset]] = -np.inf
                hits.append(self._best(scores_N, top))
        return hits

    def _best(self, scores_N: np.ndarray, top: int) -> list[Hit]:
        rows, scores = best_rows(scores_N, top)
        return [Hit(self.gallery.entries[row], int(row), float(score)) for row, score in zip(rows, scores, strict=True)]

    def _queries(self, queries_QD: Tensor, cameras: Sequence[str | None] | None, exclude_camera: bool) -> Tensor:
        width = self.vectors_ND.shape[1]
        if queries_QD.ndim != 2 or queries_QD.shape[1] != width:
            raise ValueError(f"queries of {tuple(queries_QD.shape)} in a gallery of width {width}")
        queries_QD = queries_QD.float()
        lengths_Q = queries_QD.norm(dim=1)
        if not (torch.isfinite(lengths_Q) & (lengths_Q > 0)).all():
            raise ValueError("a query's vector is zero or not finite")
        queries_QD = queries_QD / lengths_Q[:, None]
        if self.means is None and not exclude_camera:
            if cameras is not None:
                raise ValueError("cameras of queries act only with center_camera or exclude_camera")
            return queries_QD
        if cameras is None or len(cameras) != len(queries_QD) or None in cameras:
            raise UserError("centring by camera and leaving out a camera need the camera of every query")
        if self.means is None:
            return queries_QD
        if unknown := sorted({str(camera) for camera in cameras} - self.means.keys()):
            raise UserError(f"no mean of camera {unknown[0]}: the gallery has none of its vectors; search without centring")
        return F.normalize(queries_QD - torch.stack([self.means[str(camera)] for camera in cameras]), dim=1)

    def _camera_means(self) -> dict[str, Tensor]:
        counts = Counter(self.cameras.tolist())
        if None in counts:
            raise UserError(f"{counts[None]} of {len(self.cameras)} gallery pictures have no camera; search without centring by camera")
        if few := sorted((count, camera) for camera, count in counts.items() if count < LEAST_FOR_A_MEAN):
            count, camera = few[0]
            raise UserError(
                f"camera {camera} has {count} vectors, a mean needs {LEAST_FOR_A_MEAN}; add pictures, or search without centring"
            )
        return {camera: self.vectors_ND[torch.from_numpy(self.cameras == camera)].mean(0) for camera in sorted(counts)}
