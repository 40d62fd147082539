"""What a parent holds of its children: the spread of their scores, and the checkpoint of the best."""

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.base.callbacks.checkpoints import RANKING
from apps.base.errors import FailureError
from apps.base.interval import interval
from apps.base.tracking.run import Run
from datamodules.whole import write_whole

__all__ = ["drop", "offer", "score_of", "spread_of"]

SELECTED = "selected"  # a child's score, as it ranked its checkpoint in validation


def offer(parent: Run, child: Run) -> None:
    """The child's best checkpoint becomes the parent's if its score is better than all before; the child keeps none.

    Of equal scores the child with the lower name wins, so that nothing depends on who came first. Broken off anywhere, and called
    again, it ends the same.
    """
    score_of(child)
    own = _ranking(child.checkpoints)
    if own is not None:
        row = own["ranking"][0]
        held = _ranking(parent.checkpoints)
        file = f"best-{child.id}.ckpt"  # a name may hold what a file's may not: a point of a sweep is named after its values
        if held is None or (held["ranking"][0]["file"] != file and _better(own["mode"], row["score"], child.name, held["ranking"][0])):
            if (child.checkpoints / row["file"]).exists():
                os.replace(child.checkpoints / row["file"], parent.checkpoints / file)  # noqa: PTH105
            with write_whole(parent.checkpoints / RANKING, "w") as out:
                json.dump({**own, "ranking": [{**row, "file": file, "child": child.name}]}, out, indent=1)
            parent.artifact(parent.checkpoints / file)
            parent.tag("best_child", child.name)
            if held is not None:
                old = parent.checkpoints / held["ranking"][0]["file"]
                old.unlink(missing_ok=True)
                parent.forget_artifact(old)
    drop(child)


def score_of(child: Run) -> float:
    """What the child's best checkpoint was ranked by, in validation; kept as a metric, for the checkpoint may go."""
    known = child.history().get(SELECTED)
    if known:
        return known[-1][1]
    own = _ranking(child.checkpoints)
    if own is None:
        raise FailureError(f"run {child.name} ranked no checkpoint: its score was never a number; look at its losses")
    row = own["ranking"][0]
    child.metric({SELECTED: row["score"]}, step=row["step"])
    child.flush()
    return row["score"]


def drop(child: Run) -> None:
    """The checkpoints of a child that is no longer needed."""
    for path in (*child.checkpoints.glob("*.ckpt"), child.checkpoints / RANKING):
        path.unlink(missing_ok=True)


def spread_of(children: Sequence[Run]) -> dict[str, float]:
    """Mean and half interval of the score that ranks checkpoints."""
    monitor = children[0].config()["checkpoints"]["monitor"]
    scores = [score_of(child) for child in children]
    return {f"seeds/{monitor}": statistics.mean(scores), f"seeds/{monitor}/half_interval": interval(scores)}


def _ranking(folder: Path) -> dict[str, Any] | None:
    path = folder / RANKING
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _better(mode: str, score: float, name: str, held: dict[str, Any]) -> bool:
    if score == held["score"]:
        return name < held["child"]
    return score > held["score"] if mode == "max" else score < held["score"]
