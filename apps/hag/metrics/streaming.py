"""The same while a split goes by in batches: sums and counts for validation, every answer for a test. Both over several processes.

Shapes: B batch, N frames, K classes.
"""

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.hag.metrics.answers import Answers, By
from apps.hag.metrics.classes import class_metrics
from apps.hag.metrics.errors import errors
from apps.hag.metrics.sums import TASKS, sums_of
from datamodules.hag.classes import SIZE_CLASSES

__all__ = ["ClassCounts", "Gathered", "SizeSums"]

SHOWN = ("macro_f1", "weighted_f1", "balanced_accuracy", "accuracy")
NAMES = {"bin10": ("below", "above"), "bin5": ("below", "above"), "tri": SIZE_CLASSES}
OF_MM = (
    "answered",
    "exact",
    "open",
    "error",
    "open_error",
    "within_1mm",
    "within_20pct",
    "difference",
    "difference2",
    "t",
    "p",
    "tt",
    "pp",
    "tp",
)


class SizeSums(Metric):
    """Frame level: errors in mm and class metrics, from what `update` added up. Nothing is kept of a frame.

    `compute` gives a dict; a value that does not exist is NaN.
    """

    full_state_update = False

    def __init__(self, by: By = "mm") -> None:
        super().__init__()
        self.by: By = by
        for name in ("known", "censored", *(OF_MM if by == "mm" else ())):
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for task, count in TASKS.items():
            self.add_state(task, default=torch.zeros(count, count + 1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        true: Tensor,
        has_mm: Tensor,
        censored: Tensor,
        mm: Tensor | None = None,
        p_gt5: Tensor | None = None,
        p_ge10: Tensor | None = None,
    ) -> None:
        """All (B,). Frames without a size are left out."""
        answers = answers_of(torch.zeros_like(true), true, has_mm, censored, mm, p_gt5, p_ge10).known()
        for name, value in sums_of(answers, self.by).items():
            if hasattr(self, name):
                setattr(self, name, getattr(self, name) + torch.as_tensor(value.sum(0), device=self.device))

    def compute(self) -> dict[str, Tensor]:
        names = ("known", "censored", *(OF_MM if self.by == "mm" else ()), *TASKS)
        sums = {name: np.asarray(getattr(self, name).cpu().numpy()) for name in names}
        values = errors(sums)
        for task in TASKS:
            found = class_metrics(sums[task], NAMES[task])
            values |= {f"{task}_{name}": found[name] for name in SHOWN}
        return {name: torch.tensor(float(value), dtype=torch.float32) for name, value in values.items()}


class Gathered(Metric):
    """Every answer of a split, for the whole table."""

    full_state_update = False
    NAMES = ("id", "polyp", "true", "has_mm", "censored", "mm", "p_gt5", "p_ge10", "weight")

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(
        self, id: Tensor, polyp: Tensor, true: Tensor, has_mm: Tensor, censored: Tensor, mm: Tensor | None = None,
        p_gt5: Tensor | None = None, p_ge10: Tensor | None = None, weight: Tensor | None = None,
    ) -> None:  # fmt: skip
        """All (B,). weight: the frames' quality; None: all alike. A head that there is not is None in every batch."""
        none = torch.full(true.shape, torch.nan, dtype=torch.float64, device=true.device)
        given = [none if part is None else part for part in (mm, p_gt5, p_ge10)]
        columns = [id, polyp, true, has_mm, censored, *given, torch.ones_like(none) if weight is None else weight]
        self.rows.append(torch.stack([column.detach().double() for column in columns], 1))  # type: ignore[union-attr,operator]
        self._heads = (mm is not None, p_ge10 is not None)

    def compute(self) -> Tensor | None:
        """float64 (N,9), on the CPU; None of no batch."""
        return torch.as_tensor(dim_zero_cat(self.rows)).cpu() if len(self.rows) else None  # type: ignore[arg-type]

    def answers(self) -> tuple[Answers, np.ndarray]:
        """In the order of the frames' numbers, and those; a frame that a sampler gave twice is there once."""
        gathered = self.compute()
        if gathered is None:
            return Answers(np.zeros(0), np.zeros(0), np.zeros(0)), np.zeros(0, np.int64)
        rows = gathered.numpy()
        _, first = np.unique(rows[:, 0], return_index=True)
        number, polyp, true, has_mm, censored, mm, p_gt5, p_ge10, weight = rows[first].T
        of_mm, of_heads = self._heads
        heads = (p_gt5, p_ge10) if of_heads else (None, None)
        answers = Answers(polyp, np.where(has_mm > 0, true, np.nan), mm if of_mm else None, censored, *heads, weight)
        return answers, number.astype(np.int64)

    def classes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(number, polyp, true, given) where class numbers stand in the place of mm; each frame once, in the order of the numbers."""
        gathered = self.compute()
        rows = np.zeros((0, len(self.NAMES))) if gathered is None else gathered.numpy()
        _, first = np.unique(rows[:, 0], return_index=True)
        number, polyp, true, given = rows[first][:, [0, 1, 2, 5]].astype(np.int64).T
        return number, polyp, true, given


class ClassCounts(Metric):
    """Classes that are no sizes: macro F1 and its like from counts alone."""

    full_state_update = False

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.add_state("cells", default=torch.zeros(classes, classes + 1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, given: Tensor, true: Tensor) -> None:
        """Class numbers, both (B,). A given one outside of the classes is no answer."""
        given = torch.where((given < 0) | (given >= self.classes), self.classes, given)
        cells = torch.bincount(true * (self.classes + 1) + given, minlength=self.classes * (self.classes + 1))
        self.cells += cells.reshape(self.classes, -1)

    def compute(self) -> dict[str, Tensor]:
        found = class_metrics(self.cells.cpu().numpy(), [str(i) for i in range(self.classes)])  # type: ignore[operator]
        return {name: torch.tensor(float(found[name]), dtype=torch.float32) for name in SHOWN}


def answers_of(
    polyp: Tensor, true: Tensor, has_mm: Tensor, censored: Tensor, mm: Tensor | None, p_gt5: Tensor | None, p_ge10: Tensor | None
) -> Answers:
    def numbers(part: Tensor | None) -> np.ndarray | None:
        return None if part is None else part.detach().double().cpu().numpy()

    sizes = torch.where(has_mm.bool(), true.double(), torch.nan)
    return Answers(polyp.cpu().numpy(), sizes.detach().cpu().numpy(), numbers(mm), censored.cpu().numpy(), numbers(p_gt5), numbers(p_ge10))
