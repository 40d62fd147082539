"""A cross-validation read from its runs: every metric of every child, and what the parent says of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.base.card import Card
from apps.base.crossval.plan import Cut
from apps.base.crossval.summary import Score, best_epoch, score
from apps.base.errors import FailureError, UserError
from apps.base.family.child import children_of
from apps.base.tracking.run import Run

__all__ = ["RESULT", "Result", "cut_of", "read_values", "summarise"]

RESULT = "crossval.json"  # in the parent's folder
Values = dict[str, dict[Cut, float]]  # by metric


@dataclass(frozen=True)
class Result:
    run: Run
    metric: str  # the headline's
    higher_is_better: bool
    selected_on: str
    scores: dict[str, Score]
    trainings: int
    epoch: int | None = None  # where one was chosen for all folds

    @property
    def headline(self) -> Score:
        return self.scores[self.metric]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        head = self.headline
        others = {
            key: {"mean": round(one.mean, 6), "half_interval": round(one.half_interval, 6), "std_folds": round(one.std_folds, 6)}
            for key, one in self.scores.items()
            if key != self.metric
        }
        return {
            "run": self.run.id,
            "name": self.run.name,
            "metric": self.metric,
            "mean": round(head.mean, 6),
            "half_interval": round(head.half_interval, 6),
            "std_folds": round(head.std_folds, 6),
            "std_seeds": round(head.std_seeds, 6),
            "selected_on": self.selected_on,
            **({} if self.epoch is None else {"epoch": self.epoch}),
            "trainings": self.trainings,
            "per_fold": {name: round(value, 6) for name, value in head.per_fold.items()},
            "per_seed": {name: round(value, 6) for name, value in head.per_seed.items()},
            "metrics": others,
        }


def cut_of(config: dict[str, Any]) -> Cut:
    """Which cut a child's recipe is of."""
    data = config["data"]["init_args"]
    return Cut(data.get("repeat"), int(data["fold"]), int(config["seed_everything"]))


def read_values(parent: Run, cuts: Sequence[Cut], mean_curve: bool, card: Card) -> tuple[Values, int | None]:
    """Test metrics of each child. With `mean_curve` there was no test: of the epoch that is best on the mean of the curves, which are
    of the tested folds themselves."""
    runs = children_of(parent)
    histories = {cut: runs[f"{parent.name}-{cut.label}"].history() for cut in cuts}
    prefix, epoch = "test/", None
    if mean_curve:
        prefix = "val/"
        key = card.metric.replace("test/", prefix)
        curves = [[value for _, value in history.get(key, [])] for history in histories.values()]
        if not all(curves):
            raise FailureError(f"{key} was not logged in every epoch of every child; it is what the epoch is chosen by")
        epoch = best_epoch(curves, card.higher_is_better)
    found: Values = {}
    for cut, history in histories.items():
        for key, points in history.items():
            if key.startswith(prefix):
                at = points[-1] if epoch is None else points[min(epoch, len(points) - 1)]
                found.setdefault(f"test/{key.removeprefix(prefix)}", {})[cut] = at[1]
    return found, epoch


def summarise(parent: Run, card: Card, values: Values, epoch: int | None, monitor: str, mode: str, chosen_on: str) -> Result:
    scores = {key: score(by_cut) for key, by_cut in values.items()}
    headline = card.metric if card.metric in scores else monitor.replace("val/", "test/")
    if headline not in scores:
        raise UserError(f"{card.metric} was not measured; there is {', '.join(sorted(scores)) or 'nothing'}")
    higher = card.higher_is_better if headline == card.metric else mode == "max"
    how = f"{chosen_on}: each child's epoch of the {'highest' if mode == 'max' else 'lowest'} {monitor}"
    if epoch is not None:
        how = f"{chosen_on}: epoch {epoch} is the best of the mean curve over the tested folds themselves"
    trainings = max(len(by_cut) for by_cut in values.values())
    return Result(parent, headline, higher, how, scores, trainings, epoch)
