"""What the children of a cross-validation answered for the bags that they were tested on, put together."""

import csv
import math
from pathlib import Path

import numpy as np

from apps.base.crossval.result import Result, cut_of
from apps.base.family.child import DONE, children_of
from apps.base.measuring import ANSWERS
from apps.mil.pooled import pooled_auc

__all__ = ["pooled_note"]


def pooled_note(result: Result, classes: list[str]) -> list[str]:
    """One line with the pooled AUC; none of answers that are no classes."""
    folds, seeds = ({name for one in result.scores.values() for name in getattr(one, key)} for key in ("per_fold", "per_seed"))
    missing = 0
    tables: dict[tuple[int | None, int], list[dict[str, str]]] = {}
    for run in children_of(result.run).values():
        config = run.config()
        cut = cut_of(config)
        fold = f"{'' if cut.repeat is None else f'{cut.repeat}/'}{cut.fold}"
        history = run.history()
        if DONE not in history or fold not in folds or str(cut.seed) not in seeds:
            continue  # of an earlier call with other folds
        if not (run.folder / ANSWERS).exists():
            return [f"no pooled AUC: {run.name} was tested before answers were kept; another --name does all anew"]
        missing += math.isnan(history[result.metric][-1][1])
        tables.setdefault((cut.repeat, cut.seed), []).extend(_read(run.folder / ANSWERS))
    columns = [f"p_{name}" for name in classes]
    rows = [row for table in tables.values() for row in table]
    if not rows or columns[0] not in rows[0]:
        return []
    bags = sorted({(row["bag"], row["patient"], row["label"]) for row in rows})
    place = {bag: i for i, (bag, _, _) in enumerate(bags)}
    probs_RNC = np.full((len(tables), len(bags), len(classes)), np.nan)
    for probs_NC, table in zip(probs_RNC, tables.values(), strict=True):
        for row in table:
            probs_NC[place[row["bag"]]] = [float(row[column]) for column in columns]
    patients = np.array([patient for _, patient, _ in bags])
    found = pooled_auc(probs_RNC, np.array([classes.index(label) for _, _, label in bags]), patients)
    over = f", mean of {len(tables)} repeats and seeds" if len(tables) > 1 else ""
    flag = ", SELECTED ON TEST" if result.selected_on.startswith("test") else ""
    counted = [f"{result.metric} is no number in {missing} of {result.trainings} trainings, where a class is missing: they are left out"]
    pooled = (
        f"pooled out-of-fold AUC {found.auc:.4f}, 95 % interval {found.low:.4f} to {found.high:.4f} "
        f"({found.draws:,} draws of {len(set(patients)):,} patients with {len(bags):,} bags{over}){flag}"
    )
    return [*(counted if missing else []), pooled]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
