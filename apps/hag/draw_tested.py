"""What a test, and an evaluation, show of sizes: scatter, agreement, confusion of frames and polyps, the frames that were most wrong."""

from collections.abc import Callable

import numpy as np

from apps.base.draw import confusion
from apps.hag.draw_frame import Drawn, worst_sheet
from apps.hag.draw_sizes import agreement_figure, scatter_figure
from apps.hag.metrics import Answers, Level, Table, polyps_of
from datamodules.hag.classes import SIZE_CLASSES

__all__ = ["confusion_figure", "size_figures", "worst_figure", "worst_rows"]

WORST = 15  # frames on the sheet
Picture = Callable[[int], tuple[np.ndarray, np.ndarray | None]]  # a row to its frame and its box in pixels


def size_figures(answers: Answers, tables: dict[Level, Table], ends: tuple[np.ndarray, np.ndarray] | None = None) -> dict[str, bytes]:
    """PNG by name. ends: of the polyps' intervals."""
    polyps = polyps_of(answers)
    drawn = {f"confusion_{level}": confusion_figure(table) for level, table in tables.items()}
    if answers.mm is not None and tables["polyp"].values.get("mae") is not None:
        drawn = {"scatter": scatter_figure(polyps, answers, ends), "agreement": agreement_figure(polyps), **drawn}
    return drawn


def confusion_figure(table: Table) -> bytes:
    """Of the three classes; a column for frames without an answer where there are any."""
    cells = np.array(table.confusions["tri"])
    if not cells[:, -1].any():
        return confusion(cells[:, :-1], SIZE_CLASSES)
    return confusion(np.vstack([cells, np.zeros(len(cells) + 1, int)]), (*SIZE_CLASSES, "no answer"))


def worst_rows(answers: Answers, count: int = WORST) -> np.ndarray:
    """The frames most wrong by their logarithm, one of each polyp."""
    assert answers.mm is not None
    rows = np.flatnonzero(np.isfinite(answers.true) & np.isfinite(answers.mm) & (answers.mm > 0))
    off = np.log(answers.mm[rows]) - np.log(answers.true[rows])
    wrong = np.where(answers.censored[rows] & (off > 0), 0.0, np.abs(off))
    rows = rows[np.argsort(-wrong, kind="stable")]
    _, first = np.unique(answers.polyp[rows], return_index=True)
    return rows[np.sort(first)][:count]


def worst_figure(answers: Answers, picture: Picture) -> bytes | None:
    """None where no mm was answered."""
    if answers.mm is None or not len(rows := worst_rows(answers)):
        return None
    shown = [picture(int(row)) for row in rows]
    drawn = [
        Drawn(float(answers.mm[row]), box=None if box is None else box.tolist(), true=float(answers.true[row]))
        for row, (_, box) in zip(rows, shown, strict=True)
    ]
    return worst_sheet([image for image, _ in shown], drawn)
