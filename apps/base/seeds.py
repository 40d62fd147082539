"""Several seeds of one recipe: the parent run holds their mean and spread, and the checkpoint of the best."""

import json
import math
import os
import statistics

from apps.base.callbacks.checkpoints import RANKING
from apps.base.errors import FailureError
from apps.base.tracking.run import Run
from datamodules.whole import write_whole

__all__ = ["adopt_best", "interval"]

# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom; beyond the list the normal's.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093)


def interval(values: list[float]) -> float:
    """Half of the 95 % interval of the mean."""
    if len(values) < 2:
        return math.nan
    t = T95[len(values) - 2] if len(values) - 2 < len(T95) else 1.96
    return t * statistics.stdev(values) / math.sqrt(len(values))


def adopt_best(parent: Run, children: list[Run]) -> dict[str, float]:
    """Move the best child's ranked checkpoint to the parent, drop the others (children keep metrics and config only).

    Returns mean and half interval of the score that ranks checkpoints.
    """
    for child in children:
        if not (child.checkpoints / RANKING).exists():
            raise FailureError(f"run {child.name} ranked no checkpoint: its score was never a number; look at its losses")
    rankings = [json.loads((child.checkpoints / RANKING).read_text()) for child in children]
    scores = [ranking["ranking"][0]["score"] for ranking in rankings]
    monitor, mode = rankings[0]["monitor"], rankings[0]["mode"]
    best = scores.index(max(scores) if mode == "max" else min(scores))
    row = rankings[best]["ranking"][0]
    os.replace(children[best].checkpoints / row["file"], parent.checkpoints / row["file"])  # noqa: PTH105
    with write_whole(parent.checkpoints / RANKING, "w") as file:
        json.dump({"monitor": monitor, "mode": mode, "ranking": [row]}, file, indent=1)
    parent.artifact(parent.checkpoints / row["file"])
    children[best].forget_artifact(children[best].checkpoints / row["file"])
    parent.tag("best_seed", children[best].name)
    for child in children:
        for path in child.checkpoints.glob("*.ckpt"):
            path.unlink()
            child.forget_artifact(path)
        (child.checkpoints / RANKING).unlink()
    return {f"seeds/{monitor}": statistics.mean(scores), f"seeds/{monitor}/half_interval": interval(scores)}
