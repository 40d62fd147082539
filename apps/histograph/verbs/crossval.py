"""`discern histograph crossval`: see apps.base.crossval. The protocol is the data's.

data.protocol=val-selected (ours): each fold's epoch by its validation fold, the tested fold looked at once.
data.protocol=gin-convention (of the field, for comparison only): no validation; one epoch for all folds, the best of the mean test curve.
"""

from apps.base.crossval import cross_validate
from apps.base.shell import Shell
from apps.histograph.bounds import alarms
from apps.histograph.card import CARD

__all__ = ["crossval"]


def crossval(shell: Shell, argv: list[str]) -> int:
    return cross_validate(shell, argv, CARD, lambda result, data: alarms(data.table.source, result.metric, result.headline.mean))
