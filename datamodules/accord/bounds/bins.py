"""Bin packing: the bound L2 of Martello and Toth (1990)."""

from bisect import bisect_left, bisect_right
from itertools import accumulate

__all__ = ["fewest_bins"]


def fewest_bins(weights: list[int], capacity: int) -> int:
    """L2, at least ceil(sum / capacity): items above half stay apart, and small ones only help where the large ones leave room."""
    if not weights:
        return 0
    sizes = sorted(weights)
    if sizes[-1] == 0:
        return 1  # items of no size still lie somewhere
    sums = [0, *accumulate(sizes)]
    above_half = bisect_right(sizes, capacity // 2)  # the first with 2 w > C
    best = 0
    for small in {0, *sizes[:above_half]}:
        first_small = bisect_left(sizes, small)
        apart = bisect_right(sizes, capacity - small)  # J1, w > C - small, begins here: nothing that counts fits beside them
        middle = range(above_half, max(apart, above_half))  # J2: above half, with room for some
        room = len(middle) * capacity - (sums[middle.stop] - sums[middle.start])
        rest = sums[above_half] - sums[min(first_small, above_half)]  # J3: small <= w <= C / 2
        more = max(0, -((room - rest) // capacity))
        best = max(best, len(sizes) - middle.start + more)
    return best
