"""Hard twins: those whom a plain network finds most alike, by the scores that its own test has left behind (section 5.7)."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.ahan.scenarios import Scored
from apps.base.errors import UserError
from datamodules.ahan.pairs import TWIN, Pairs, hard_twins

__all__ = ["HARD", "hard_of", "rows_of"]

HARD = "hard_twin"


def rows_of(each: Mapping[str, Scored]) -> list[dict[str, Any]]:
    """A row for each tested pair: numbers of the images, never names."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for name, pairs in each.items():
        columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), pairs.score.tolist())
        for first, second, same, score in zip(*columns, strict=True):
            kind = "genuine" if same else name
            found.setdefault((first, second), {"first": first, "second": second, "kind": kind, "same": int(same), "score": score})
    return list(found.values())


def hard_of(path: Path, pairs: Pairs, numbers_S4: np.ndarray) -> Pairs:
    """The hard twins among the pairs, with the genuine pairs of the same people. numbers: as of `score`."""
    if not path.is_file():
        raise UserError(f"model.hard_twins: {path}: no such file; it is answers.csv in the folder of a tested run")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            known = {(int(row["first"]), int(row["second"])): float(row["score"]) for row in csv.DictReader(file)}
    except (KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"model.hard_twins: {path}: no table of first, second, score; take answers.csv of a tested run of ahan") from error
    first, second = numbers_S4[pairs.first, 3].tolist(), numbers_S4[pairs.second, 3].tolist()
    scores = np.array([known.get(pair, np.nan) for pair in zip(first, second, strict=True)])
    lacking = int(np.isnan(scores[pairs.kind == TWIN]).sum())
    if lacking:
        raise UserError(
            f"model.hard_twins: {path}: {lacking} of {int((pairs.kind == TWIN).sum())} twin pairs have no score; test that run on this data"
        )
    return hard_twins(pairs, scores, numbers_S4[:, 0])
