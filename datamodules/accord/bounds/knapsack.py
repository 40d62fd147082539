"""Knapsack: Dantzig's bound, the value of the relaxation in which items may be cut, rounded down."""

__all__ = ["dantzig"]


def dantzig(values: list[int], weights: list[int], capacity: int) -> int:
    """Exact in integers: for any price v_b / w_b of a unit of room, no choice is worth more than price * C + sum of max(0, v - price * w).

    The price of the item at which the room runs out makes it Dantzig's; floats only help to find that item.
    """
    items = [(v, w) for v, w in zip(values, weights, strict=True) if w <= capacity and v > 0]
    free = sum(v for v, w in items if w == 0)
    items = sorted(((v, w) for v, w in items if w > 0), key=lambda item: -item[0] / item[1])
    room = capacity
    for price_value, price_weight in items:
        room -= price_weight
        if room < 0:
            over = price_value * capacity + sum(max(0, v * price_weight - price_value * w) for v, w in items)
            return free + over // price_weight
    return free + sum(v for v, _ in items)
