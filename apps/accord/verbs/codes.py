"""Exit codes of answers: one for each status word, and one for many answers."""

from collections.abc import Sequence

__all__ = ["CODES", "worst"]

CODES = {"optimal": 0, "feasible": 0, "infeasible": 3, "unknown": 4, "refused": 2, "invalid": 2}
FAILED = 1  # some inputs could not be read, the others were answered


def worst(statuses: Sequence[str]) -> int:
    """Of one answer its own code. Of many: 1 where some inputs could not be read, else 4 before 3 before 0."""
    codes = [CODES[status] for status in statuses]
    if 2 in codes and set(codes) != {2}:
        return FAILED
    return max(codes, default=2)
