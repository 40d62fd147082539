"""tsp, from the definition: every node exactly once; the cost is the sum along the round, back to the first node."""

from typing import Any

from datamodules.accord.checker.counting import exactly_once
from datamodules.accord.checker.report import Violation, places, sequence
from datamodules.accord.instances import TSP

__all__ = ["judge"]


def judge(instance: TSP, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, cost, nothing that is counted."""
    entries = sequence(plan)
    if entries is None:
        return [Violation("shape", (), None, "the plan is no list of nodes")], None, None
    distances, count = instance.distances.tolist(), instance.size
    nodes, wrong = places(entries, 0, count, "node")
    known = not wrong
    wrong += exactly_once(nodes, range(count), "node", instance.label)
    if not known:
        return wrong, None, None
    cost = 0
    for position, node in enumerate(nodes):
        after = nodes[(position + 1) % len(nodes)]
        if node != after:  # the way from a node to itself is 0, whatever a file holds there
            cost += distances[node][after]
    return wrong, cost, None
