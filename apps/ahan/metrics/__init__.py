"""How well two images are told to be of one person or of two, or one of many (section 5.7), as pure functions of scores."""

from apps.ahan.metrics.accuracy import FoldAccuracy, accuracy_folds, best_threshold
from apps.ahan.metrics.bootstrap import Interval, cluster_bootstrap
from apps.ahan.metrics.curve import Curve, TarAtFar, auc, curve, d_prime, det_points, eer, roc, tar_at_far
from apps.ahan.metrics.identification import OpenSet, cmc, open_set

__all__ = [
    "Curve",
    "FoldAccuracy",
    "Interval",
    "OpenSet",
    "TarAtFar",
    "accuracy_folds",
    "auc",
    "best_threshold",
    "cluster_bootstrap",
    "cmc",
    "curve",
    "d_prime",
    "det_points",
    "eer",
    "open_set",
    "roc",
    "tar_at_far",
]  # fmt: skip
