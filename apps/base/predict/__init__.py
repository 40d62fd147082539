"""Answers from an exported file: `discern predict` for a shell, `discern.load` for Python. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.base.predict.answerer import load

if TYPE_CHECKING:
    from apps.base.card import Card
    from apps.base.shell import Shell

__all__ = ["load", "predict"]


def predict(shell: Shell, argv: list[str], card: Card | None = None) -> int:
    from apps.base.predict import verb

    return verb.predict(shell, argv, card)
