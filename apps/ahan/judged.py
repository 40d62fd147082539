"""A model tried on pairs: every image through detector, quality and model, every pair scored, every failure counted.

Shapes: M images, N pairs, E width of an embedding.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from apps.ahan.faces.already import Already
from apps.ahan.scenarios import Scored, score
from apps.ahan.verbs.asking import Asked, Asker
from datamodules.ahan.template import AlignmentError
from datamodules.ahan.trials import Trials
from datamodules.errors import DataError

__all__ = ["Judged", "gaps_to_twin", "judge_trials", "one_of_many"]

AT_ONCE = 64  # images held


class Judged(NamedTuple):
    vectors: np.ndarray  # float64 (M,E); NaN of an image that could not be enrolled
    failures: list[str | None]  # (M,)
    numbers: np.ndarray  # int64 (M,4)
    scored: Scored  # all N pairs; NaN where an image failed
    kind: np.ndarray  # (N,)
    coarse: np.ndarray  # bool (M,): framed without the eyes: nothing is decided about twins

    @property
    def fine(self) -> np.ndarray:
        """(N,) bool: pairs of which the twin rule may decide."""
        return ~(self.coarse[self.scored.first] | self.coarse[self.scored.second])

    @property
    def usable(self) -> np.ndarray:
        """(N,) bool."""
        return np.isfinite(self.scored.score)

    def reasons(self) -> dict[str, int]:
        return dict(Counter(failure for failure in self.failures if failure).most_common())


def judge_trials(asker: Asker, trials: Trials, each: Callable[[Asked], None] = lambda asked: None) -> Judged:
    """each: is told of every image when it is done, in order."""
    vectors, failures, coarse, places = [], [], [], iter(range(len(trials.numbers)))
    while window := [_framed(asker, trials, place) for place in islice(places, AT_ONCE)]:
        asker.embed(window)
        for asked in window:
            failures.append(asked.failure)
            coarse.append(asked.coarse)
            vectors.append(np.full(asker.width, np.nan) if asked.vector is None else asked.vector)
            each(asked)
    vectors_ME = np.stack(vectors)
    places_M = np.arange(len(vectors_ME))
    numbers = np.column_stack([trials.numbers[:, :3], places_M])
    scored, kind = score(vectors_ME, places_M, numbers, trials.pairs)
    return Judged(vectors_ME, failures, numbers, scored, kind, np.array(coarse))


def _framed(asker: Asker, trials: Trials, place: int) -> Asked:
    source = trials.face if isinstance(asker.framer.detector, Already) else trials.photograph
    try:
        framed = asker.framer(source(place))
    except AlignmentError as error:  # points that the set gives
        framed = asker.framer.misplaced(str(error))
    except DataError:  # cannot be read: bytes that are no picture fail in the framer with the same reason
        framed = asker.framer(b"")
    return Asked(f"image {place}", framed.quality, face=framed.face, boxes=framed.boxes)


def gaps_to_twin(vectors_ME: np.ndarray, numbers_M4: np.ndarray) -> np.ndarray:
    """Of every image of a person with a twin: the score to one's own template less the score to the nearest twin's.

    One's own template is of one's other images, of other visits where they are known, as it is when somebody comes to be verified.
    """
    return np.array(list(_gaps(vectors_ME, numbers_M4)), np.float64)


def _gaps(vectors_ME: np.ndarray, numbers_M4: np.ndarray) -> Iterator[float]:
    person_M, family_M, visit_M, _ = numbers_M4.T
    whole_M = np.isfinite(vectors_ME).all(1)
    for family in np.unique(family_M):
        here_M = whole_M & (family_M == family)
        people = np.unique(person_M[here_M])
        means = {person: _unit(vectors_ME[here_M & (person_M == person)].mean(0)) for person in people}
        for person in people if len(people) > 1 else ():
            others = np.stack([mean for other, mean in means.items() if other != person])
            for at in np.flatnonzero(here_M & (person_M == person)):
                own_M = here_M & (person_M == person) & ((visit_M != visit_M[at]) | (visit_M < 0))
                own_M[at] = False
                if own_M.any():
                    yield float(vectors_ME[at] @ _unit(vectors_ME[own_M].mean(0)) - (others @ vectors_ME[at]).max())


def one_of_many(vectors_ME: np.ndarray, numbers_M4: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(scores (Q,N), whose column each probe is, -1: a stranger): half of the families are enrolled from their earlier images, all others
    ask to come in. Of who is enrolled the images of other visits ask, where visits are known. None where nobody can be enrolled or ask.
    """
    person_M, family_M, visit_M, _ = numbers_M4.T
    whole_M = np.isfinite(vectors_ME).all(1)
    families = np.random.default_rng(seed).permutation(np.unique(family_M))
    inside_M = whole_M & np.isin(family_M, families[: max(1, len(families) // 2)])
    templates, probes, own = [], [np.flatnonzero(whole_M & ~inside_M)], [np.full(int((whole_M & ~inside_M).sum()), -1)]
    for person in np.unique(person_M[inside_M]):
        rows = np.flatnonzero(inside_M & (person_M == person))
        first = rows[visit_M[rows] == visit_M[rows[0]]] if visit_M[rows[0]] >= 0 else rows[: len(rows) // 2]
        asking = np.setdiff1d(rows, first)
        if len(first) and len(asking):
            probes.append(asking)
            own.append(np.full(len(asking), len(templates)))
            templates.append(_unit(vectors_ME[first].mean(0)))
    own_Q = np.concatenate(own)
    if not templates or (own_Q >= 0).all():
        return None
    return vectors_ME[np.concatenate(probes)] @ np.stack(templates).T, own_Q


def _unit(vector_E: np.ndarray) -> np.ndarray:
    return vector_E / max(float(np.linalg.norm(vector_E)), 1e-12)
