"""`discern mil crossval`: see apps.base.crossval. The protocol is the data's: data.protocol=clean, or parity (selected on test)."""

from apps.base.crossval import cross_validate
from apps.base.shell import Shell
from apps.mil.card import CARD

__all__ = ["crossval"]


def crossval(shell: Shell, argv: list[str]) -> int:
    return cross_validate(shell, argv, CARD)
