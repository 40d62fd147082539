"""From the vectors of some images to one template; and whether they look like one person, and like nobody else.

Legend: K images, N people, E width of an embedding. Vectors have length 1.
"""

from typing import NamedTuple

import numpy as np

from apps.ahan.gallery.people import People
from apps.base.exact_search import best_rows, cosines

__all__ = ["Agreement", "agreement", "alike", "template"]

SHOWN = 5  # others who look alike


class Agreement(NamedTuple):
    mean: float  # cosine over all pairs of images
    odd: int  # the image that is least like the others
    odd_mean: float  # its mean cosine to them


def template(vectors_KE: np.ndarray) -> np.ndarray:
    """The mean, at length 1."""
    mean_E = np.asarray(vectors_KE, np.float64).mean(0)
    return mean_E / np.linalg.norm(mean_E)


def agreement(vectors_KE: np.ndarray) -> Agreement | None:
    """None of a single image, which agrees with itself."""
    count = len(vectors_KE)
    if count < 2:
        return None
    cosine_KK = np.asarray(vectors_KE, np.float64) @ np.asarray(vectors_KE, np.float64).T
    np.fill_diagonal(cosine_KK, 0)
    of_each_K = cosine_KK.sum(1) / (count - 1)
    odd = int(of_each_K.argmin())
    return Agreement(float(of_each_K.mean()), odd, float(of_each_K[odd]))


def alike(people: People, vector_E: np.ndarray, threshold: float, but: set[str]) -> list[tuple[str, float]]:
    """(ID, score) of the enrolled who would be taken for this template, most alike first: duplicates, or twins not declared."""
    if not len(people):
        return []
    score_N = cosines(vector_E[None].astype(np.float32), people.vectors)[0]
    rows, scores = best_rows(score_N, SHOWN + len(but))
    found = [(people.entries[row].id, float(score)) for row, score in zip(rows, scores, strict=True) if score >= threshold]
    return [(name, score) for name, score in found if name not in but][:SHOWN]
