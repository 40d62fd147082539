"""How well words are read (section 5.3), as pure functions of texts and numbers."""

from apps.otsnet.metrics.accuracy import Accuracy, accuracy, mean_of_sets, pooled, wilson
from apps.otsnet.metrics.confidence import Confidence, confidence
from apps.otsnet.metrics.distance import cer, edit_distance, one_minus_ned
from apps.otsnet.metrics.ledger import Ledger, ledger
from apps.otsnet.metrics.seen import Seen, seen_unseen
from apps.otsnet.metrics.table import SetScore, scores

__all__ = [
    "Accuracy",
    "Confidence",
    "Ledger",
    "Seen",
    "SetScore",
    "accuracy",
    "cer",
    "confidence",
    "edit_distance",
    "ledger",
    "mean_of_sets",
    "one_minus_ned",
    "pooled",
    "scores",
    "seen_unseen",
    "wilson",
]
