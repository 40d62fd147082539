"""What an exported model says of one slide's features, ready to be told and drawn: the way that heatmap and diagnose share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.mil.maps.bag_file import Answer, BagFile
from apps.mil.maps.heat import Scale, Score
from datamodules.mil.encoding import encoding_of
from datamodules.mil.slides.located import Located

__all__ = ["Reading", "read_slide"]


@dataclass
class Reading:
    facts: dict[str, Any]  # decision, probs, threshold, class, tiles, compared, unlike, as they are written
    warnings: list[str]
    scores: list[Score]
    title: str


def read_slide(
    model: BagFile, located: Located, where: object, label: str | None, asked: Sequence[str], scale: Scale | None = None
) -> Reading:
    """`label`: whose probability is shown, see BagFile.shown. `scale`: None shows attention by its rank, everything else by its value."""
    compared = model.fits(encoding_of(located.about, located.features.shape[1]), where)
    answer = model.answer(located.features, where)
    unlike = model.unlike(located.features)
    shown = model.shown(label, answer)
    facts = {
        **_summary(model, answer),
        "class": model.labels[shown],
        "tiles": len(located.coords),
        "compared": compared,
        "unlike": None if unlike is None else round(unlike, 2),
    }
    scores = _scores(model, located, answer, shown, asked, scale)
    return Reading(facts, model.doubts(compared, unlike), scores, _title(located.name, model, answer, shown))


def _scores(model: BagFile, located: Located, answer: Answer, label: int, asked: Sequence[str], scale: Scale | None) -> list[Score]:
    made = []
    for name in asked:
        if name == "attention":
            values, words = answer.attention_N, "attention: how much a tile counts for the answer, whichever it is"
        elif name == "instance":
            values, words = answer.instance_NC[:, label], f"instance: probability of {model.labels[label]}, by the tile alone"
        else:
            values = model.left_out(located.features, answer, label, located.name)
            words = f"leave-one-out: what the probability of {model.labels[label]} loses without the tile"
        made.append(Score(name, words, np.asarray(values, np.float64), scale or ("percentile" if name == "attention" else "value")))
    return made


def _title(name: str, model: BagFile, answer: Answer, label: int) -> str:
    return f"{name}: answered {model.labels[answer.decision]}, probability of {model.labels[label]}: {answer.probs_C[label]:.3f}"


def _summary(model: BagFile, answer: Answer) -> dict[str, Any]:
    """The answer about the bag, as plain values."""
    return {
        "decision": model.labels[answer.decision],
        "probs": {label: round(float(p), 6) for label, p in zip(model.labels, answer.probs_C, strict=True)},
        "threshold": None if model.threshold is None else round(model.threshold, 6),
    }
