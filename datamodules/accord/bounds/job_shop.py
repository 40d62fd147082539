"""Job shop: every job's length, and on every machine Jackson's preemptive schedule with heads and tails (Carlier 1982)."""

import heapq

__all__ = ["job_shop_bound"]

Work = tuple[int, int, int]  # head, time, tail


def job_shop_bound(jobs: tuple[tuple[tuple[int, int], ...], ...]) -> int:
    work: dict[int, list[Work]] = {}
    longest = 0
    for job in jobs:
        total, head = sum(time for _, time in job), 0
        longest = max(longest, total)
        for machine, time in job:
            work.setdefault(machine, []).append((head, time, total - head - time))
            head += time
    return max(longest, *map(_jackson, work.values()))


def _jackson(work: list[Work]) -> int:
    """One machine that may interrupt what it does: of those ready, always the one with the longest tail. The optimum of the relaxation."""
    coming = sorted(work)
    ready: list[list[int]] = []  # [-tail, time left]
    now, end, at = 0, 0, 0
    while at < len(coming) or ready:
        if not ready:
            now = max(now, coming[at][0])
        while at < len(coming) and coming[at][0] <= now:
            _, time, tail = coming[at]
            heapq.heappush(ready, [-tail, time])
            at += 1
        until = coming[at][0] if at < len(coming) else None
        tail, left = ready[0]
        if until is None or now + left <= until:
            heapq.heappop(ready)
            now += left
            end = max(end, now - tail)  # tails are held negative
        else:
            ready[0][1] = left - (until - now)
            now = until
    return end
