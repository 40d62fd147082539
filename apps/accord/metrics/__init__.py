"""What is measured of answers, kind by kind."""

from apps.accord.metrics.answers import Answers
from apps.accord.metrics.by_kind import ByKind
from apps.accord.metrics.gaps import gaps_of, mean_of_kinds

__all__ = ["Answers", "ByKind", "gaps_of", "mean_of_kinds"]
