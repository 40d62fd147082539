"""`discern mil crossval`: see apps.base.crossval. The protocol is the data's: data.protocol=clean, or parity (selected on test)."""

from apps.base.crossval import cross_validate
from apps.base.shell import Shell
from apps.mil.card import CARD
from apps.mil.out_of_fold import pooled_note

__all__ = ["crossval"]


def crossval(shell: Shell, argv: list[str]) -> int:
    return cross_validate(shell, argv, CARD, lambda result, data: pooled_note(result, data.classes))
