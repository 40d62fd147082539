"""A knapsack as a bar that fills: the items taken, and those that were left out, the most valuable by weight first."""

from apps.accord.numbers import counted, plainly
from apps.base.svg import GREY, INK, LIGHT, Svg, ink_on, legend, number, ticks, width_of
from datamodules.accord.instances import Knapsack
from datamodules.accord.solution import Plan

__all__ = ["draw_fill"]

LEFT, WIDE, HIGH = 40.0, 900.0, 54.0
LOW, FULL = (222, 235, 247), (0, 70, 130)  # few and much value for the weight; lightness carries it, so any eye can tell


def draw_fill(instance: Knapsack, plan: Plan, name: str, summary: str) -> str:
    taken = set(plan)
    load = sum(int(instance.weights[item]) for item in taken)
    worth = [float(value) / max(float(weight), 1e-9) for value, weight in zip(instance.values, instance.weights, strict=True)]
    order = sorted(range(instance.size), key=lambda item: -worth[item])
    rank = {
        item: 1 - place / max(instance.size - 1, 1) for place, item in enumerate(order)
    }  # colours by rank: one bargain would pale all others
    inside = [item for item in order if item in taken]
    outside = [item for item in order if item not in taken]
    across = WIDE / max(instance.capacity, 1)
    svg = Svg(LEFT + WIDE + 40, 340, f"knapsack {name}")
    used = f"{plainly(load, instance.scale)} of {plainly(instance.capacity, instance.scale)} used"
    top = svg.head(f"{name}: {len(taken)} of {counted(instance.size, 'item')}, {used}", summary) + 20
    svg.text(LEFT, top - 5, "taken, in order of value for the weight")
    svg.rect(LEFT, top, WIDE, HIGH, fill="#FFFFFF", stroke=GREY)
    _items(svg, instance, inside, top, across, WIDE, lambda item: _paint(rank[item]))
    for tick in ticks(0, instance.capacity / instance.scale, 10):
        x = LEFT + tick * instance.scale * across
        svg.line(x, top + HIGH, x, top + HIGH + 5, stroke=GREY)
        svg.text(x, top + HIGH + 17, number(tick), size=10, anchor="middle", fill="#444444")
    svg.line(LEFT + WIDE, top - 8, LEFT + WIDE, top + HIGH + 8, stroke=INK, width=1.6, dash="5 3")
    svg.text(LEFT + WIDE / 2, top + HIGH + 32, "weight", anchor="middle")
    below = top + HIGH + 62
    weight_out = sum(int(instance.weights[item]) for item in outside)
    shrunk = weight_out > instance.capacity  # more is left out than the bar above could hold
    note = f", drawn {weight_out / max(instance.capacity, 1):.1f} times smaller" if shrunk else ""
    svg.text(LEFT, below - 5, f"left out: {counted(len(outside), 'item')} of weight {plainly(weight_out, instance.scale)}{note}")
    _items(svg, instance, outside, below, WIDE / weight_out if shrunk else across, WIDE, lambda item: _paint(rank[item]))
    marks = [("most", 0), ("middle", len(order) // 2), ("least", len(order) - 1)] if order else []
    entries = [(_paint(rank[order[at]]), f"{words} value for the weight: {number(round(worth[order[at]], 3))}") for words, at in marks]
    legend(svg, LEFT, below + HIGH + 24, entries, WIDE)
    return svg.text_of()


def _items(svg: Svg, instance: Knapsack, items: list[int], y: float, across: float, room: float, paint) -> None:
    x = LEFT
    for item in items:
        wide = int(instance.weights[item]) * across
        value, weight = plainly(int(instance.values[item]), instance.value_scale), plainly(int(instance.weights[item]), instance.scale)
        label = instance.label(item)
        tip = f"item {label}: value {value}, weight {weight}"
        fill = paint(item)
        svg.rect(x, y, max(wide, 0.6), HIGH, fill=fill, stroke="#FFFFFF" if wide > 3 else "none", tip=tip)
        if width_of(label, 10) + 3 < wide:
            svg.text(x + wide / 2, y + HIGH / 2 + 4, label, size=10, anchor="middle", fill=ink_on(fill))
        x += wide
    if not items:
        svg.rect(LEFT, y, room, HIGH, fill="#FFFFFF", stroke=LIGHT)
        svg.text(LEFT + 8, y + HIGH / 2 + 4, "none", fill="#444444")


def _paint(share: float) -> str:
    return "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(LOW, FULL, strict=True))
