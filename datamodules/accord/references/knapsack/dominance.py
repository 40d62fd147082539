"""Nemhauser and Ullmann's lists: all states that nothing dominates, item by item. Few on random data, whatever the capacity."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.density import by_density, density
from datamodules.accord.references.knapsack.states import join, select, start, taken

__all__ = ["dominance"]

MOST = 1 << 26  # states of all lists together: 5 bytes each are kept for the way back


def dominance(attempt: Attempt) -> None:
    """Proven, or the greedy plan where the clock or the memory ends it."""
    instance = attempt.instance
    density(attempt)
    states, kept = start(0, 0), 0
    for item in by_density(instance).tolist():
        states = join(states, item, int(instance.weights[item]), int(instance.values[item]))
        states = select(states, states.weight <= instance.capacity)
        kept += len(states.weight)
        if attempt.over() or kept > MOST:
            return
    best = len(states.value) - 1  # the heaviest is the most valuable
    attempt.offer(tuple(sorted(taken(states, best))), int(states.value[best]))
    attempt.prove()
