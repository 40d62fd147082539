"""How well two images are told to be of one person or of two (section 5.7), as pure functions of scores."""

from apps.ahan.metrics.accuracy import FoldAccuracy, accuracy_folds, best_threshold, family_folds
from apps.ahan.metrics.bootstrap import Interval, cluster_bootstrap
from apps.ahan.metrics.curve import Curve, TarAtFar, auc, curve, d_prime, det_points, eer, roc, tar_at_far

__all__ = [
    "Curve", "FoldAccuracy", "Interval", "TarAtFar", "accuracy_folds", "auc", "best_threshold", "cluster_bootstrap", "curve", "d_prime",
    "det_points", "eer", "family_folds", "roc", "tar_at_far",
]  # fmt: skip
