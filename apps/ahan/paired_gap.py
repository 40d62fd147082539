"""How sure is the gap between two rows of an ablation? Families are drawn again, for both rows and all seeds alike (sections 2.6 and 5.7).

Shapes: S seeds, N pairs of all seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.ahan.metrics import auc, cluster_bootstrap
from apps.ahan.scenarios import Scored
from apps.ahan.task import Verification

__all__ = ["gap_interval", "judged"]

Answers = Mapping[str, np.ndarray]
DRAWS = 1000


def judged(task: Verification) -> Answers:
    """The pairs that rank checkpoints, of a task that has validated."""
    assert task.validated is not None
    return task.validated._asdict()


def gap_interval(one: Sequence[Answers], other: Sequence[Answers], draws: int = DRAWS) -> tuple[float, float] | None:
    """(low, high) of 95 % of the mean gap in AUC; None where a seed of the two rows was not asked about the same pairs."""
    pairs = [(Scored(**a), Scored(**b)) for a, b in zip(one, other, strict=True)]
    if not all(np.array_equal(a.first, b.first) and np.array_equal(a.second, b.second) for a, b in pairs):
        return None
    seed_N = np.repeat(np.arange(len(pairs)), [len(a.same) for a, _ in pairs])
    one_N, other_N = (np.concatenate([pair[row].score for pair in pairs]) for row in (0, 1))
    same_N, family_N2 = (np.concatenate([getattr(a, name) for a, _ in pairs]) for name in ("same", "family"))

    def gap(places: np.ndarray, same: np.ndarray, weight: np.ndarray) -> float:
        places, found = places.astype(int), []
        for seed in range(len(pairs)):
            mine = seed_N[places] == seed
            if not same[mine].any() or same[mine].all():
                return float("nan")
            found.append(auc(one_N[places[mine]], same[mine], weight[mine]) - auc(other_N[places[mine]], same[mine], weight[mine]))
        return float(np.mean(found))

    found = cluster_bootstrap(gap, np.arange(len(same_N)), same_N, family_N2, draws)
    return found.low, found.high
