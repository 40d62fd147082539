"""What refinement did to every word: it may only stay if it fixes more than it breaks."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Ledger", "ledger"]


class Ledger(NamedTuple):
    fixed: int  # wrong before, right after
    broken: int  # right before, wrong after
    still_wrong: int
    still_right: int

    @property
    def pays(self) -> bool:
        """On validation; where it does not, the first answer is what is exported."""
        return self.fixed >= self.broken


def ledger(before: Sequence[str], after: Sequence[str], truths: Sequence[str]) -> Ledger:
    """before: answers without refinement; after: with it."""
    counts = {(False, True): 0, (True, False): 0, (False, False): 0, (True, True): 0}
    for first, last, truth in zip(before, after, truths, strict=True):
        counts[first == truth, last == truth] += 1
    return Ledger(*counts.values())
