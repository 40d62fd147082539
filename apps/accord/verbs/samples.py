"""What more samples bring: the mean gap of the best of 1, 2, 3, ... as a curve a kind."""

import numpy as np

from apps.accord.comparison import Compared, best_of
from apps.accord.draw_gap import draw_gaps
from apps.accord.solver import Solver
from datamodules.accord.gaps import gap
from datamodules.accord.instances import MAXIMISED

__all__ = ["draw_samples"]


def draw_samples(solver: Solver, compared: list[Compared], samples: int, seed: int, temperature: float) -> str:
    curves = {}
    for kind in dict.fromkeys(one.instance.kind for one in compared):
        those = [one for one in compared if one.instance.kind == kind and best_of(one)[0] is not None]
        objectives = solver.sampled([one.instance for one in those], samples, seed=seed, temperature=temperature)
        sign = -1 if kind in MAXIMISED else 1
        best = sign * np.minimum.accumulate(sign * objectives, axis=1)
        gaps = np.array([[gap(one.instance, int(value), best_of(one)[0]) for value in row] for one, row in zip(those, best, strict=True)])  # type: ignore[arg-type]
        curves[kind] = [(float(count), float(value)) for count, value in enumerate(gaps.mean(0), 1)]
    return draw_gaps(curves, "samples", "gap over samples", f"mean over {len(compared)} instances; the first is the greedy answer")
