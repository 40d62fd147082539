"""knapsack, from the definition: items of the instance, none twice, together no heavier than the capacity.

Texts name an item by its (value, weight). The reader turns a pair into an item; one that it cannot place stays in the plan, and is named
here.
"""

from typing import Any

from datamodules.accord.checker.counting import no_more_than_once
from datamodules.accord.checker.report import Violation, places, sequence, whole
from datamodules.accord.instances import Knapsack

__all__ = ["judge"]


def judge(instance: Knapsack, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, value, nothing that is counted."""
    entries = sequence(plan)
    if entries is None:
        return [Violation("shape", (), None, "the plan is no list of items")], None, None
    values, weights = instance.values.tolist(), instance.weights.tolist()
    pairs = [pair for pair in map(_pair, entries) if pair is not None]
    items, wrong = places([entry for entry in entries if _pair(entry) is None], 0, instance.size, "item")
    there = set(zip(values, weights, strict=True))
    for value, weight in pairs:
        if (value, weight) in there:
            says = f"an item of value {value} and weight {weight} is taken once more than there is one"
            wrong.append(Violation("repeated", (value, weight), 1, says))
        else:
            wrong.append(Violation("unknown", (value, weight), None, f"no item has value {value} and weight {weight}"))
    known = not wrong
    wrong += no_more_than_once(items, "item", instance.label)
    load = sum(weights[item] for item in items) + sum(weight for _, weight in pairs)
    if load > instance.capacity:
        over = load - instance.capacity
        wrong.append(Violation("overload", (), over, f"the items weigh {load}, {over} more than {instance.capacity}"))
    return wrong, sum(values[item] for item in items) if known else None, None


def _pair(entry: Any) -> tuple[int, int] | None:
    parts = sequence(entry)
    if parts is None or len(parts) != 2:
        return None
    value, weight = whole(parts[0]), whole(parts[1])
    return None if value is None or weight is None else (value, weight)
