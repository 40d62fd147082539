"""Who of many is it? Exact search of a gallery, and an answer only where strangers rarely get one (sections 4.4 and 5.7).

Legend: Q queries, N people, E width of an embedding.
"""

from typing import NamedTuple

import numpy as np

from apps.ahan.calibration_file import CalibrationFile
from apps.ahan.decision import decide
from apps.ahan.gallery.people import People
from apps.base.exact_search import best_rows, cosines

__all__ = ["Hit", "Identified", "Searcher", "far_of", "identify"]

CHUNK = 64  # queries at a time


class Hit(NamedTuple):
    id: str
    score: float  # cosine


class Identified(NamedTuple):
    who: str | None  # None: unknown, or no decision
    decided: bool
    reason: str
    threshold: float | None = None
    fpir: float | None = None


class Searcher:
    """A gallery made ready once for many searches. Whose consent has run out is left out."""

    def __init__(self, people: People) -> None:
        usable_N = people.usable()
        self.people, self.expired = people, int((~usable_N).sum())
        self.ids = [entry.id for entry, usable in zip(people.entries, usable_N, strict=True) if usable]
        self.vectors_NE = np.ascontiguousarray(people.vectors[usable_N] if self.expired else people.vectors)

    def search(self, queries_QE: np.ndarray, top: int) -> list[list[Hit]]:
        """For each query the `top` most alike, or all there are, best first."""
        queries_QE = np.asarray(queries_QE, np.float32)
        if queries_QE.ndim != 2 or queries_QE.shape[1] != self.vectors_NE.shape[1] or not np.isfinite(queries_QE).all():
            raise ValueError(f"queries of {queries_QE.shape} in a gallery of width {self.vectors_NE.shape[1]}, all finite")
        found = []
        for first in range(0, len(queries_QE), CHUNK):
            for score_N in cosines(queries_QE[first : first + CHUNK], self.vectors_NE):
                rows, scores = best_rows(score_N, top)
                found.append([Hit(self.ids[row], float(score)) for row, score in zip(rows, scores, strict=True)])
        return found


def far_of(fpir: float, people: int) -> float:
    """Of one comparison, so that a stranger is taken for one of so many with this chance: FPIR = 1 - (1 - FAR)^N."""
    return float(-np.expm1(np.log1p(-fpir) / people))


def identify(
    searcher: Searcher, query_E: np.ndarray, hits: list[Hit], calibration: CalibrationFile | None, coarse: bool = False
) -> Identified:
    """The nearest, if strangers hardly ever come so near, and if a twin of theirs is told apart by the twin rule. coarse: see `decide`."""
    if calibration is None or calibration.identify is None:
        return Identified(None, False, "uncalibrated for identification: run calibrate with --fpir and --n")
    rule = calibration.identify
    if len(searcher.ids) > rule.people:
        return Identified(None, False, f"calibrated for {rule.people} people, there are {len(searcher.ids)}: calibrate with --n that large")
    known = {"threshold": rule.value, "fpir": rule.fpir}
    if not hits or hits[0].score < rule.value:
        return Identified(None, True, f"nobody at {rule.value:.4f} or more" if hits else "nobody is enrolled", **known)
    best = hits[0]
    if searcher.people.twins(best.id):
        coarse = coarse or searcher.people.entries[searcher.people.row(best.id)].coarse
        told = decide(best.score, calibration.calibration, True, searcher.people.nearest_twin(query_E, best.id), coarse)
        if not told.accept:
            return Identified(None, told.accept is not None, f"{best.id} or a twin: {told.reason}", **known)
    return Identified(best.id, True, "", **known)
