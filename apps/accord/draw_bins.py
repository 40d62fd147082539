"""Bins as stacked bars below the line of their capacity."""

from apps.accord.numbers import counted, plainly
from apps.base.svg import GREY, INK, LIGHT, Svg, colour, ink_on, number, ticks, width_of
from datamodules.accord.instances import BinPacking
from datamodules.accord.solution import Plan

__all__ = ["draw_bins"]

LEFT, WIDE, HIGH = 64.0, 900.0, 230.0


def draw_bins(instance: BinPacking, plan: Plan, name: str, summary: str) -> str:
    """A colour an item's place in its bin; the number of the item where there is room."""
    bins = [list(items) for items in plan]
    per_row = max(1, min(len(bins), 50))
    rows = -(-len(bins) // per_row) or 1
    wide = min(WIDE / per_row, 64.0)
    svg = Svg(LEFT + max(wide * per_row, 420) + 30, 100 + (HIGH + 54) * rows, f"bins of {name}")
    loads = [int(instance.weights[items].sum()) if items else 0 for items in bins]
    filled = 100 * sum(loads) / max(len(bins) * instance.capacity, 1)
    top = (
        svg.head(
            f"{name}: {counted(instance.size, 'item')} in {counted(len(bins), 'bin')}", f"{summary}; {filled:.1f} % of their room is used"
        )
        + 14
    )
    high = HIGH / max(instance.capacity, 1)
    for row in range(rows):
        base = top + (HIGH + 54) * row + HIGH
        here = range(row * per_row, min((row + 1) * per_row, len(bins)))
        right = LEFT + wide * len(here)
        for tick in ticks(0, instance.capacity / instance.scale, 5):
            y = base - tick * instance.scale * high
            svg.line(LEFT, y, right, y, stroke=LIGHT)
            svg.text(LEFT - 8, y + 4, number(tick), size=10, anchor="end", fill="#444444")
        for place, which in enumerate(here):
            _bin(svg, instance, bins[which], which, LEFT + wide * place, base, wide, high)
        svg.line(LEFT, base - instance.capacity * high, right, base - instance.capacity * high, stroke=INK, width=1.6, dash="5 3")
        svg.line(LEFT, base, right, base, stroke=GREY)
        if row == 0:
            svg.text(LEFT, base - HIGH - 6, f"a bin holds {plainly(instance.capacity, instance.scale)}", size=10)
    svg.text(
        LEFT,
        top + (HIGH + 54) * rows - 18,
        f"bin; in the bars stand items{'' if instance.labels else ', counted from 0'}",
        size=11,
        fill="#444444",
    )
    return svg.text_of()


def _bin(svg: Svg, instance: BinPacking, items: list[int], which: int, x: float, base: float, wide: float, high: float) -> None:
    y = base
    for place, item in enumerate(sorted(items, key=lambda item: -instance.weights[item])):
        weight = int(instance.weights[item])
        tall = weight * high
        y -= tall
        label = instance.label(item)
        tip = f"item {label}, size {plainly(weight, instance.scale)}, bin {which + 1}"
        svg.rect(x + 1.5, y, wide - 3, tall, fill=colour(place), stroke="#FFFFFF", tip=tip)
        if tall > 12 and width_of(label, 9) < wide - 4:
            svg.text(x + wide / 2, y + tall / 2 + 3.5, label, size=9, anchor="middle", fill=ink_on(colour(place)))
    if width_of("100", 9) < wide or which % 5 == 0:
        svg.text(x + wide / 2, base + 13, str(which + 1), size=9, anchor="middle", fill="#444444")
