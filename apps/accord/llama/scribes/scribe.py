"""What a plan's text is while it is written: the pieces among which is decided, and what follows each of them of necessity.

The text is one of ACCORD's two (brief, 2.1). A piece spells a decision of the kind's automaton; after it comes the state that it leads to,
which no model has to compute.
"""

from collections.abc import Sequence
from typing import Any

__all__ = ["Scribe"]


class Scribe:
    """One text of one instance. `ends`: what can follow a piece that is the beginning of another one (1 and 12)."""

    ends: Sequence[str] = ()

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def opening(self) -> str:
        """What stands before the first decision."""
        raise NotImplementedError

    def spell(self, action: int) -> str:
        """How the text goes on if this is decided; changes nothing."""
        raise NotImplementedError

    def follow(self, action: int) -> str:
        """What stands after the decision, up to the next one."""
        raise NotImplementedError

    def closing(self) -> str:
        """What stands after the last decision."""
        raise NotImplementedError
