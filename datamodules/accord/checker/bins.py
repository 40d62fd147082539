"""binpack, from the definition: every item in exactly one bin, no bin above the capacity. A bin without items is not counted."""

from typing import Any

from datamodules.accord.checker.counting import exactly_once
from datamodules.accord.checker.report import Violation, places, sequence
from datamodules.accord.instances import BinPacking

__all__ = ["judge"]


def judge(instance: BinPacking, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, bins, bins."""
    bins = sequence(plan)
    if bins is None:
        return [Violation("shape", (), None, "the plan is no list of bins")], None, None
    weights = instance.weights.tolist()
    wrong: list[Violation] = []
    packed: list[int] = []
    used = 0
    for number, entry in enumerate(bins):
        content = sequence(entry)
        if content is None:
            wrong.append(Violation("shape", (number,), None, f"bin {number} is no list of items"))
            continue
        items, strange = places(content, 0, instance.size, "item", number)
        wrong += strange
        packed += items
        used += bool(content)
        load = sum(weights[item] for item in items)
        if load > instance.capacity:
            over = load - instance.capacity
            wrong.append(Violation("overload", (number,), over, f"bin {number} holds {load}, {over} more than {instance.capacity}"))
    shapeless = any(one.code == "shape" for one in wrong)
    wrong += exactly_once(packed, range(instance.size), "item", instance.label)
    return wrong, None if shapeless else used, None if shapeless else used
